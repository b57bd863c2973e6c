//! CloudFormation templates: YAML with positions and tags, intrinsic functions, references, property tables. Pure: no I/O, no SDK; used by both halves.

pub mod check;
pub mod dynamic;
mod evaluate;
pub mod extensions;
mod functions;
pub mod intrinsics;
mod json;
pub mod model;
pub mod names;
pub mod parameters;
pub mod problem;
pub mod reader;
pub mod refs;
pub mod schema;
pub mod sub;
mod tree;
pub mod yaml;

pub use model::Template;
pub use problem::{Position, Problem};
