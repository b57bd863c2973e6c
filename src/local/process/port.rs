//! Free ports on loopback.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// The first that is tried: below, other services have their usual ports.
const FIRST: u16 = 20_000;
const TRIES: usize = 100;

/// A port that is free now, and that the kernel gives no connection of its own accord: who has stopped finds it free again. Whoever
/// takes it must cope with losing the race, by binding it and trying another.
///
/// # Errors
/// No port is free.
pub fn free() -> io::Result<u16> {
    match lasting(&std::fs::read_to_string(CONNECTIONS).unwrap_or_default()) {
        Some(port) => Ok(port),
        None => Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port()),
    }
}

/// The ports that the kernel gives connections, the first and the last (ip(7)).
const CONNECTIONS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// A free port below those of connections, if there is room for some.
fn lasting(connections: &str) -> Option<u16> {
    let end = connections.split_whitespace().next()?.parse().ok().filter(|end| *end > FIRST)?;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(|| rand::random_range(FIRST..end)).take(TRIES).find(is_free)
}

/// A process that listens on a port: its id and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub name: String,
}

/// Who listens on `port` of loopback (or of every address), as far as this user may see.
pub fn holder(port: u16) -> Option<Holder> {
    let sockets = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let inode = sockets.iter().flat_map(|table| table.lines()).find_map(|line| listening_inode(line, port))?;
    let link = format!("socket:[{inode}]");
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Other users' processes cannot be looked into.
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else { continue };
        if files
            .flatten()
            .any(|file| std::fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == link.as_str()))
        {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(Holder { pid, name: name.trim().to_owned() });
        }
    }
    None
}

/// The socket's inode from a line of `/proc/net/tcp` (proc_pid_net(5)) that listens on `port`.
fn listening_inode(line: &str, port: u16) -> Option<&str> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    (fields.get(3) == Some(&LISTEN) && u16::from_str_radix(local_port, 16) == Ok(port))
        .then(|| fields.get(9).copied())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_none_that_connections_are_given() {
        assert!((FIRST..32_768).contains(&lasting("32768\t60999\n").unwrap()));
        assert_eq!((lasting("1024\t65535\n"), lasting("")), (None, None));
    }

    #[test]
    fn whoever_holds_a_port_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(holder(port).unwrap().pid, std::process::id());
        drop(listener);
        assert_eq!(holder(port), None);
    }
}
