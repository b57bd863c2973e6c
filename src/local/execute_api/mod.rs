//! What the data planes of REST APIs and of HTTP APIs have in common: one address space, one way to a function, token
//! buckets, access logs.

pub(crate) mod access_log;
pub(crate) mod address;
pub(crate) mod deployed;
pub(crate) mod fault;
pub(crate) mod function;
pub(crate) mod request;
pub(crate) mod throttle;
pub(crate) mod variables;
