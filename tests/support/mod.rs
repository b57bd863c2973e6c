//! What tests share: a sealed local cloud, real clients, temporary directories.

#![allow(dead_code, reason = "each is for whichever test needs it")]

pub(crate) mod clients;
pub(crate) mod cloud;
pub(crate) mod database;

pub(crate) use cloud::{LocalCloud, LocalProgram};
