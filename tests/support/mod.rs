//! What tests share: a sealed local cloud, real clients, temporary directories.

#![allow(dead_code, reason = "each is for whichever test needs it")]

pub(crate) mod clients;
pub(crate) mod cloud;
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod functions;
pub(crate) mod labctl;
pub(crate) mod machine;
pub(crate) mod processes;
pub(crate) mod signature;

pub(crate) use clients::Answer;
pub(crate) use cloud::{LocalCloud, LocalProgram};
pub(crate) use machine::{Machine, Said, until};
