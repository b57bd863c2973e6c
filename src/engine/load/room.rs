//! Room for connections: each is an open file, and a process may have only so many.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that are no connections of the load.
const OTHERS: u64 = 64;

/// Makes room for so many connections.
///
/// # Errors
/// There may be only so many.
pub fn make(connections: u32) -> Result<(), u64> {
    let needed = u64::from(connections) + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let most = maximum.unwrap_or(u64::MAX);
    let raised = most >= needed && setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).is_ok();
    if raised { Ok(()) } else { Err(current.unwrap_or(most).max(OTHERS) - OTHERS) }
}
