//! CloudFormation templates: YAML with positions and tags, intrinsic functions, references, property tables. Pure: no I/O, no SDK; used by both halves.

pub mod dynamic;
pub mod intrinsics;
pub mod model;
pub mod parameters;
pub mod problem;
pub mod refs;
pub mod schema;
pub mod yaml;

pub use model::Template;
pub use problem::{Position, Problem};
