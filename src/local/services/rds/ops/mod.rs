//! The operations, by what they are about.

pub(super) mod catalog;
pub(super) mod check;
pub(super) mod clusters;
pub(super) mod instances;
pub(super) mod parameters;
pub(super) mod roles;
pub(super) mod subnets;
pub(super) mod tags;
