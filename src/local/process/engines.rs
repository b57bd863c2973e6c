//! Which database and cache servers this machine has.

use std::path::PathBuf;

/// A server program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    pub program: PathBuf,
    pub kind: EngineKind,
    /// As the program says it: `10.11.14`, `8.4.7`, `7.0.15`.
    pub version: String,
}

/// Which family a server program belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    MySql,
    MariaDb,
    Redis,
    Valkey,
}

/// The engines in use: found on PATH, or named by `LABCTL_MYSQLD` and `LABCTL_REDIS`. `None`: not on this machine.
#[derive(Clone, Debug, Default)]
pub struct Engines {
    pub mysql: Option<Engine>,
    pub redis: Option<Engine>,
}
