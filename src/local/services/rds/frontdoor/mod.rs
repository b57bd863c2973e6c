//! The front door of a cluster: where clients connect, over TLS, as Aurora takes them.
//!
//! It knows the packets of a login and the text of statements. Everything else is relayed as it is.

mod door;
mod handshake;
mod login;
mod packet;
mod plugin;
mod probe;
mod relay;
mod session;
mod token;
mod transfer;

pub(crate) use door::Door;
pub(crate) use packet::SqlError;
pub(crate) use plugin::Plugin;
pub(crate) use probe::probe;
