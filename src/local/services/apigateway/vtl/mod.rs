//! Mapping templates: the part of Apache Velocity that API Gateway offers.
//!
//! Reference: "Mapping template syntax" and "Variables for data transformations" (API Gateway developer guide). A template is
//! parsed when it is put; what is not known here is refused then, by name.

mod budget;
mod eval;
mod json_path;
mod parse;
mod values;

pub(super) use eval::{Inputs, Params, render};
pub(super) use json_path::JsonPath;
pub(super) use parse::{Template, TemplateError};
