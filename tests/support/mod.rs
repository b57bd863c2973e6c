//! What tests share: a sealed local cloud, real clients, temporary directories.

#![allow(dead_code, reason = "each is for whichever test needs it")]

pub(crate) mod clients;
pub(crate) mod cloud;
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod functions;
pub(crate) mod lab;
pub(crate) mod labctl;
pub(crate) mod machine;
pub(crate) mod processes;
pub(crate) mod signature;
pub(crate) mod small;

use std::ffi::OsString;

pub(crate) use clients::Answer;
pub(crate) use cloud::{LocalCloud, LocalProgram};
pub(crate) use machine::{Machine, Said, until};

/// The engines that the tests are run on, if they are named: any will do.
pub(crate) fn engines() -> impl Iterator<Item = (&'static str, OsString)> {
    ["LABCTL_MYSQLD", "LABCTL_REDIS"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}
