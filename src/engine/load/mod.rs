//! Load: users that send a request, wait for the answer and send the next, and what came of it.

pub mod drive;
pub mod report;
pub mod request;

pub use drive::{Judge, Shape, drive};
pub use report::Report;
pub use request::Request;
