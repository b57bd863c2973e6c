//! The operations, by what they are about.

pub(super) mod catalog;
pub(super) mod check;
mod cluster_rules;
pub(super) mod clusters;
pub(super) mod create_cluster;
pub(super) mod instances;
mod master;
pub(super) mod modify_cluster;
pub(super) mod parameters;
pub(super) mod quotas;
pub(super) mod roles;
pub(super) mod subnets;
pub(super) mod tags;
