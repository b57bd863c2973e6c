//! What each kind of step does.

pub mod check;
pub mod data;
pub mod function;
pub mod load;
pub mod readiness;
pub mod sql;
pub mod stack;
pub mod swap;
