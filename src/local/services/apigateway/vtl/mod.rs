//! Mapping templates: the part of Apache Velocity that API Gateway offers.
//!
//! Reference: "Mapping template syntax" and "Variables for data transformations" (API Gateway developer guide). A template is
//! parsed when it is put; what is not known here is refused then, by name.

mod budget;
mod eval;
mod expression;
mod heap;
mod json_filter;
mod json_path;
mod known;
mod methods;
mod number;
mod operators;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod util;

pub(super) use budget::Budget;
pub(super) use eval::{Inputs, Params, render};
pub(super) use json_path::JsonPath;
pub(super) use parse::TemplateError;
pub(super) use tree::Template;
