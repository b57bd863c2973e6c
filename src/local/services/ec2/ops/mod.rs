//! The operations that change the network, a file per kind of thing.

pub(super) mod endpoint;
pub(super) mod gateway;
pub(super) mod group;
pub(super) mod interface;
pub(super) mod place;
pub(super) mod route;
pub(super) mod rules;
pub(super) mod subnet;
pub(super) mod tags;
pub(super) mod vpc;
