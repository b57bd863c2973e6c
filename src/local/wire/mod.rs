//! The AWS wire protocols, driven by tables made from the official service models: bytes to a call, a reply to bytes.
//!
//! [`codec`] is the way in. `query`, `json` and `rest` read requests, `xml` and `json` write answers, [`fault`] writes
//! errors, [`sigv4`] verifies signatures; [`model`] holds the tables (`tools/service_models.py`).

pub mod codec;
pub mod fault;
pub mod model;
pub mod sigv4;

mod form;
mod json;
mod query;
mod rest;
mod timestamp;
mod validate;
mod xml;
