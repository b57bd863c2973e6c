//! Whose process is at the other end of a connection on this machine: the kernel knows the user of every socket.
//!
//! It is asked for the one socket (sock_diag(7)), which takes microseconds. Its table of all of them, `/proc/net/tcp`, takes
//! milliseconds, more with every connection there is, and is read only where the kernel cannot be asked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// The kernel has answered once: that it finds nothing is then an answer, too.
static ANSWERS: AtomicBool = AtomicBool::new(false);

/// The user of the socket that goes from `from` to `to`. `None`: it has been closed, or nobody can tell.
pub(super) async fn of(from: SocketAddr, to: SocketAddr) -> Option<u32> {
    match asked(from, to) {
        Ok(Some(uid)) => {
            ANSWERS.store(true, Ordering::Relaxed);
            return Some(uid);
        }
        Ok(None) if ANSWERS.load(Ordering::Relaxed) => return None,
        // A kernel without the module for it says the same as of a socket that is not there.
        Ok(None) | Err(_) => {}
    }
    // The kernel makes the table up while it is read: a line can be missed in a busy one, but not twice.
    for _ in 0..2 {
        let look = tokio::task::spawn_blocking(move || in_table(from, to));
        if let Some(uid) = look.await.unwrap_or_default() {
            return Some(uid);
        }
    }
    None
}

/// `SOCK_DIAG_BY_FAMILY`, the one type of request and answer (linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
const ERROR: u16 = 2;
/// `NLM_F_REQUEST`
const REQUEST: u16 = 1;
const TCP: u8 = 6;
const HEADER: usize = 16;
/// Of `inet_diag_msg`, behind the header: the socket's id begins at 4, its user and inode are the last two words.
const REMOTE_PORT: usize = HEADER + 6;
const UID: usize = HEADER + 64;
const INODE: usize = HEADER + 68;
const ANSWER: usize = HEADER + 72;

fn asked(from: SocketAddr, to: SocketAddr) -> io::Result<Option<u32>> {
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
    rustix::net::sendto(&socket, &request(from, to), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 512];
    // The kernel has answered before the request returns.
    let (length, _) = rustix::net::recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
    user(&answer[..length], to)
}

/// `inet_diag_req_v2` for one socket.
fn request(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let family = if from.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let mut request = Vec::with_capacity(HEADER + 56);
    request.extend((HEADER as u32 + 56).to_ne_bytes());
    request.extend(BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family.as_raw() as u8, TCP, 0, 0]);
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(from.port().to_be_bytes());
    request.extend(to.port().to_be_bytes());
    for address in [from.ip(), to.ip()] {
        match address {
            IpAddr::V4(v4) => {
                request.extend(v4.octets());
                request.extend([0; 12]);
            }
            IpAddr::V6(v6) => request.extend(v6.octets()),
        }
    }
    // Any interface, and any cookie (`INET_DIAG_NOCOOKIE`).
    request.extend([0; 4]);
    request.extend([0xff; 8]);
    request
}

/// The user in an answer. One without an inode has been closed by its owner.
fn user(answer: &[u8], to: SocketAddr) -> io::Result<Option<u32>> {
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let word = |at: usize| -> io::Result<u32> {
        let bytes = answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
        Ok(u32::from_ne_bytes(bytes))
    };
    let half = |at: usize| -> io::Result<[u8; 2]> {
        answer.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)
    };
    match u16::from_ne_bytes(half(4)?) {
        BY_FAMILY if answer.len() >= ANSWER => {
            // In place of a connection that is not there it gives who listens at `from`.
            let is_it = u16::from_be_bytes(half(REMOTE_PORT)?) == to.port();
            Ok((is_it && word(INODE)? != 0).then_some(word(UID)?))
        }
        ERROR => match word(HEADER)?.cast_signed() {
            error if error == -rustix::io::Errno::NOENT.raw_os_error() => Ok(None),
            error => Err(io::Error::from_raw_os_error(-error)),
        },
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn in_table(from: SocketAddr, to: SocketAddr) -> Option<u32> {
    let table = if from.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    line(&std::fs::read_to_string(table).ok()?, from, to)
}

/// The owner of the socket that goes from `from` to `to`, in the text of `/proc/net/tcp` (proc_net_tcp(5)).
fn line(table: &str, from: SocketAddr, to: SocketAddr) -> Option<u32> {
    let (from, to) = (hexadecimal(from), hexadecimal(to));
    table.lines().skip(1).find_map(|line| {
        // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
        let mut fields = line.split_ascii_whitespace().skip(1);
        let same = fields.next()? == from && fields.next()? == to;
        let uid = fields.nth(4).filter(|_| same)?.parse().ok()?;
        let inode = fields.nth(1)?;
        (inode != "0").then_some(uid)
    })
}

/// `0100007F:11D6`: the kernel prints each 32-bit word of the address as a host-order number.
fn hexadecimal(address: SocketAddr) -> String {
    let words = match address {
        SocketAddr::V4(v4) => v4.ip().octets().to_vec(),
        SocketAddr::V6(v6) => v6.ip().octets().to_vec(),
    };
    let words = words.chunks_exact(4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    let address_text: String = words.map(|word| format!("{word:08X}")).collect();
    format!("{address_text}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_owner_of_a_connection_is_found_and_a_closed_one_has_none() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:11D6 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 7 1 0 20 4 30 10 -1\n\
            1: 0100007F:D431 0100007F:11D6 01 00000000:00000000 00:00000000 00000000  1000        0 8 1 0 20 4 30 10 -1\n\
            2: 0100007F:D432 0100007F:11D6 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0";
        let local = "127.0.0.1:4566".parse().unwrap();
        assert_eq!(line(table, "127.0.0.1:54321".parse().unwrap(), local), Some(1000));
        assert_eq!(line(table, "127.0.0.1:54322".parse().unwrap(), local), None);
        assert_eq!(line(table, "127.0.0.1:54323".parse().unwrap(), local), None);
    }

    #[tokio::test]
    async fn a_real_connection_has_its_owner_by_either_way_until_it_is_closed() {
        let ours = rustix::process::geteuid().as_raw();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // Not every machine has IPv6.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, peer) = listener.accept().unwrap();
            let local = server.local_addr().unwrap();
            assert_eq!((of(peer, local).await, in_table(peer, local)), (Some(ours), Some(ours)), "{address}");
            // A kernel that cannot be asked is no fault of ours.
            if let Ok(asked) = asked(peer, local) {
                assert_eq!(asked, Some(ours), "{address}");
            }
            drop(client);
            assert_eq!(of(peer, local).await, None, "{address}");
            // Nor does who listens pass for who has connected.
            let nobody = SocketAddr::new(local.ip(), 9);
            assert_eq!(of(listener.local_addr().unwrap(), nobody).await, None, "{address}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_or_of_another_kind_is_an_error() {
        let to = "127.0.0.1:4566".parse().unwrap();
        let mut answer = [0; ANSWER];
        assert!(user(&answer, to).is_err());
        answer[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        answer[REMOTE_PORT..REMOTE_PORT + 2].copy_from_slice(&4566_u16.to_be_bytes());
        answer[UID..UID + 4].copy_from_slice(&1000_u32.to_ne_bytes());
        assert_eq!(user(&answer, to).unwrap(), None, "without an inode");
        answer[INODE] = 7;
        assert_eq!(user(&answer, to).unwrap(), Some(1000));
        for length in 0..ANSWER {
            assert!(user(&answer[..length], to).is_err(), "{length}");
        }
    }
}
