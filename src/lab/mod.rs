//! Lab manifests: a file in, a typed lab out, all problems at once.

pub mod builtin;
mod checks;
pub mod conditions;
pub mod load;
pub mod model;
pub mod parameters;
pub mod queries;
mod sample;
pub mod traffic;
pub mod validate;

pub use load::{LoadError, is_path, load, name_in};
pub use model::{Lab, Manifest};
