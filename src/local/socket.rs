//! What every accepted connection is given.

use std::time::Duration;

use tokio::net::TcpStream;

/// Sends at once, and lets the connection go when the other end has taken nothing of what was sent for `untaken`. The kernel
/// watches that by itself, also while the other end answers that it has no room (`TCP_USER_TIMEOUT`, tcp(7)).
pub(super) fn settle(stream: &TcpStream, untaken: Duration) {
    let milliseconds = u32::try_from(untaken.as_millis()).unwrap_or(u32::MAX);
    // Neither fails on a socket of TCP; without them a connection is slower or longer-lived, and still right.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, milliseconds);
}
