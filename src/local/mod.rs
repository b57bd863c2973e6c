//! The local cloud: an AWS-compatible endpoint on real engines. It knows nothing of labs.
//!
//! A request goes `http` → `guard` → `route` → `wire` (bytes to a [`call::Call`]) → [`cloud::Cloud::call`] → the service's
//! operation → back through `wire`. A service calls another one through [`cloud::Cloud::call`] as well, in the caller's
//! scope: no service touches another's state. CloudFormation finds the resource types in a table that each service fills
//! (`services/<name>/cfn.rs`).
//!
//! The face to the rest of labctl is [`serve()`] with [`Options`], the engine finder and the admin API over HTTP.

mod admin;
mod allowed;
pub mod arriving;
pub mod call;
pub mod clock;
pub mod cloud;
pub mod credentials;
pub mod drill;
mod endpoint;
/// The names of environment variables, which the program documents in one place.
#[path = "../env.rs"]
pub mod env;
mod execute_api;
pub mod fault;
mod gate;
mod guard;
pub mod home;
pub mod http;
pub mod ids;
mod like;
mod log;
mod log_events;
mod owner;
mod policy;
pub mod process;
pub mod reference;
pub mod resource;
mod route;
pub mod scope;
mod serve;
pub mod service;
pub mod services;
mod socket;
pub mod store;
pub mod tls;
pub mod tracer;
pub mod wire;

pub use http::Patience;
use labctl_template as template;
pub use log::log_to;
pub use serve::{Found, Options, Running, ServeError, serve, wipe};
