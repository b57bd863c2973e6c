//! The operations, by what they are about.

pub(super) mod assets;
pub(super) mod dashboards;
mod input;
pub(super) mod permissions;
pub(super) mod subscription;
pub(super) mod tags;
mod views;
