//! Free ports on loopback.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// A port that is free now. Whoever takes it must cope with losing the race, by binding it and trying another.
///
/// # Errors
/// No port is free.
pub fn free() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
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
    fn whoever_holds_a_port_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(holder(port).unwrap().pid, std::process::id());
        drop(listener);
        assert_eq!(holder(port), None);
    }
}
