//! Load: requests sent at the pace of users or of a clock, and what came of them.

pub mod body;
mod connection;
mod desk;
mod dice;
pub mod drive;
pub mod mix;
mod rate;
mod recorder;
pub mod report;
pub mod room;
mod sender;
pub mod shape;
pub mod tally;
mod users;

pub use body::Body;
pub use drive::{Run, Watch, drive};
pub use mix::{Judge, Mix, Request, Signer};
pub use report::{Late, Moment, Report};
pub use shape::{Pace, Shape, Users};
pub use tally::Tally;
