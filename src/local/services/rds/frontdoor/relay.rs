//! A logged-in connection: packets go both ways as they are, and statements are looked at on their way in.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};

use super::door::Stream;
use super::packet::{
    self, COM_CHANGE_USER, COM_QUERY, COM_QUIT, COM_RESET_CONNECTION, COM_STMT_PREPARE, LONGEST, SqlError,
};
use super::transfer;
use crate::services::rds::cluster::Cluster;
use crate::services::rds::rewrite::{Rewritten, Rules, rewrite, worth_a_look};

/// Statements longer than this go through unread; the engine refuses them (`max_allowed_packet` is 64 MB).
const LONGEST_STATEMENT: usize = 72 << 20;
/// How much is moved at once.
const CHUNK: usize = 32 * 1024;

/// A connection after its login.
pub(super) struct Relay {
    client: BufReader<ReadHalf<Stream>>,
    to_client: WriteHalf<Stream>,
    pub(super) engine: ReadHalf<Stream>,
    pub(super) to_engine: WriteHalf<Stream>,
    shared: Shared,
    /// What both sides agreed on at login.
    pub(super) flags: u32,
}

/// What both directions know.
struct Shared {
    cluster: Arc<Cluster>,
    /// In a statement whose answer tells that the engine has answered everything before it.
    nonce: String,
    waiting: AtomicBool,
    /// The session said `SET ROLE ALL`, on an engine that has no such thing.
    all_roles: AtomicBool,
}

/// Why the relay pauses.
enum Pause {
    Closed,
    /// The front door itself answers, as the packet of this number.
    Ours(u8, Box<Rewritten>),
}

impl Relay {
    pub(super) fn new(cluster: Arc<Cluster>, client: Stream, engine: Stream, flags: u32) -> Self {
        let (client, to_client) = tokio::io::split(client);
        let (engine, to_engine) = tokio::io::split(engine);
        let nonce = format!("labctl-{}", cluster.cloud.ids.uuid());
        let all_roles = AtomicBool::new(cluster.settings().all_roles_on_login);
        let shared = Shared { cluster, nonce, waiting: AtomicBool::new(false), all_roles };
        Relay { client: BufReader::with_capacity(CHUNK, client), to_client, engine, to_engine, shared, flags }
    }

    /// Relays until either side closes.
    pub(super) async fn run(mut self) -> io::Result<()> {
        loop {
            match self.relay().await? {
                Pause::Closed => return Ok(()),
                Pause::Ours(sequence, what) => {
                    let answer = self.act(*what).await?;
                    let mut out = Vec::new();
                    packet::frame(&mut out, sequence, &answer);
                    self.to_client.write_all(&out).await?;
                    self.to_client.flush().await?;
                }
            }
        }
    }

    /// Both directions at once, until one ends or the front door has something to say. Then the engine is silent: it has
    /// answered all that was sent before.
    async fn relay(&mut self) -> io::Result<Pause> {
        self.shared.waiting.store(false, Ordering::Relaxed);
        let up = up(&mut self.client, &mut self.to_engine, &self.shared);
        let down = down(&mut self.engine, &mut self.to_client, &self.shared);
        tokio::pin!(up, down);
        tokio::select! {
            pause = &mut up => match pause? {
                Pause::Ours(sequence, what) => match down.await? {
                    Silence::Answered => Ok(Pause::Ours(sequence, what)),
                    Silence::Closed => Ok(Pause::Closed),
                },
                Pause::Closed => Ok(Pause::Closed),
            },
            silence = &mut down => match silence? {
                Silence::Answered => up.await,
                Silence::Closed => Ok(Pause::Closed),
            },
        }
    }

    /// Does what only Aurora does; gives the payload of the answer.
    async fn act(&mut self, what: Rewritten) -> io::Result<Vec<u8>> {
        let cluster = self.shared.cluster.clone();
        let all_roles = self.shared.all_roles.load(Ordering::Relaxed);
        match what {
            Rewritten::Refused(error) => Ok(error.encode()),
            Rewritten::Load(load) => transfer::load(self, &cluster, &load, all_roles).await,
            Rewritten::Select(select) => transfer::select(self, &cluster, &select, all_roles).await,
            Rewritten::AsIs | Rewritten::Changed(_) | Rewritten::AllRoles => {
                Ok(SqlError::new(1105, "HY000", "Unknown error").encode())
            }
        }
    }
}

/// Client to engine.
async fn up(
    client: &mut BufReader<ReadHalf<Stream>>,
    engine: &mut WriteHalf<Stream>,
    shared: &Shared,
) -> io::Result<Pause> {
    let mut raw = Vec::with_capacity(1024);
    let mut last_command = 0;
    // The file of a LOAD DATA LOCAL INFILE: packets that are no commands, up to an empty one.
    let mut data = false;
    loop {
        if client.fill_buf().await?.is_empty() {
            return Ok(Pause::Closed);
        }
        let mut head = [0; 4];
        client.read_exact(&mut head).await?;
        let (length, sequence) = packet::header(head);
        if data || sequence != 0 {
            data = (data || last_command == COM_QUERY) && length > 0;
            engine.write_all(&head).await?;
            pass(client, engine, length).await?;
            engine.flush().await?;
            continue;
        }
        raw.clear();
        raw.extend_from_slice(&head);
        // The command with its head in one write: on TLS each write is a record of its own, and wakes the engine.
        let read = length.min(CHUNK);
        take(client, &mut raw, read).await?;
        last_command = raw.get(4).copied().unwrap_or(0);
        if matches!(last_command, COM_RESET_CONNECTION | COM_CHANGE_USER) {
            shared.all_roles.store(shared.cluster.settings().all_roles_on_login, Ordering::Relaxed);
        }
        if !matches!(last_command, COM_QUERY | COM_STMT_PREPARE) {
            engine.write_all(&raw).await?;
            pass(client, engine, length - read).await?;
            rest(client, engine, length).await?;
            engine.flush().await?;
            if last_command == COM_QUIT {
                // The engine closes its side, which ends the other direction.
                std::future::pending::<()>().await;
            }
            continue;
        }
        take(client, &mut raw, length - read).await?;
        let last = if length == LONGEST { more(client, engine, &mut raw).await? } else { Some(0) };
        let Some(last) = last else { continue };
        if let Some(what) = inspect(&mut raw, last_command, shared) {
            // Before the marker goes out: its answer cannot be missed.
            shared.waiting.store(true, Ordering::Release);
            let marker = format!("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{}'", shared.nonce);
            let mut out = Vec::new();
            packet::frame(&mut out, 0, &[&[COM_QUERY], marker.as_bytes()].concat());
            engine.write_all(&out).await?;
            engine.flush().await?;
            return Ok(Pause::Ours(last.wrapping_add(1), Box::new(what)));
        }
        engine.write_all(&raw).await?;
        engine.flush().await?;
    }
}

/// Reads `length` bytes to the end of `raw`.
async fn take(client: &mut BufReader<ReadHalf<Stream>>, raw: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let start = raw.len();
    raw.resize(start + length, 0);
    client.read_exact(&mut raw[start..]).await.map(|_| ())
}

/// Passes `length` bytes on.
async fn pass<W: AsyncWrite + Unpin>(
    client: &mut BufReader<ReadHalf<Stream>>,
    engine: &mut W,
    mut length: usize,
) -> io::Result<()> {
    while length > 0 {
        let chunk = client.fill_buf().await?;
        if chunk.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let part = chunk.len().min(length);
        engine.write_all(&chunk[..part]).await?;
        client.consume(part);
        length -= part;
    }
    Ok(())
}

/// Passes on the packets that follow one of full length.
async fn rest<W: AsyncWrite + Unpin>(
    client: &mut BufReader<ReadHalf<Stream>>,
    engine: &mut W,
    mut length: usize,
) -> io::Result<()> {
    while length == LONGEST {
        let mut head = [0; 4];
        client.read_exact(&mut head).await?;
        length = packet::header(head).0;
        engine.write_all(&head).await?;
        pass(client, engine, length).await?;
    }
    Ok(())
}

/// Collects the packets that follow one of full length. Gives the number of the last one; `None` if the statement was too
/// long to look at and has been passed on.
async fn more<W: AsyncWrite + Unpin>(
    client: &mut BufReader<ReadHalf<Stream>>,
    engine: &mut W,
    raw: &mut Vec<u8>,
) -> io::Result<Option<u8>> {
    loop {
        let mut head = [0; 4];
        client.read_exact(&mut head).await?;
        let (length, sequence) = packet::header(head);
        raw.extend_from_slice(&head);
        if raw.len() + length > LONGEST_STATEMENT {
            engine.write_all(raw).await?;
            *raw = Vec::new();
            pass(client, engine, length).await?;
            rest(client, engine, length).await?;
            engine.flush().await?;
            return Ok(None);
        }
        take(client, raw, length).await?;
        if length < LONGEST {
            return Ok(Some(sequence));
        }
    }
}

/// Looks at the statement in `raw` (whole packets). Changes it in place, or gives what the front door has to do itself.
fn inspect(raw: &mut Vec<u8>, command: u8, shared: &Shared) -> Option<Rewritten> {
    let mariadb = shared.cluster.is_mariadb();
    let joined;
    let text = if raw.len() <= LONGEST + 4 {
        &raw[5..]
    } else {
        joined = join(raw);
        &joined[1..]
    };
    if !worth_a_look(text, mariadb) {
        return None;
    }
    let cluster = shared.cluster.clone();
    let vouched_for = move |user: &[u8]| cluster.identified_by_iam(user);
    let changed = match rewrite(text, &Rules { mariadb, vouched_for: &vouched_for }) {
        Rewritten::AsIs => return None,
        Rewritten::Changed(changed) => changed,
        Rewritten::AllRoles => {
            shared.all_roles.store(true, Ordering::Relaxed);
            b"DO 0".to_vec()
        }
        Rewritten::Load(_) | Rewritten::Select(_) if command == COM_STMT_PREPARE => {
            let message = "This command is not supported in the prepared statement protocol yet";
            return Some(Rewritten::Refused(SqlError::new(1295, "HY000", message)));
        }
        ours => return Some(ours),
    };
    let payload = [&[command], &changed[..]].concat();
    raw.clear();
    packet::frame(raw, 0, &payload);
    None
}

/// The payload of a command of several packets.
fn join(raw: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let (length, _) = packet::header(*head);
        let (part, after) = after.split_at(length.min(after.len()));
        payload.extend_from_slice(part);
        rest = after;
    }
    payload
}

/// Why the engine says no more.
enum Silence {
    Closed,
    /// It has answered the marker, and with it everything before.
    Answered,
}

/// Engine to client.
async fn down(engine: &mut ReadHalf<Stream>, client: &mut WriteHalf<Stream>, shared: &Shared) -> io::Result<Silence> {
    let mut chunk = vec![0; CHUNK];
    let mut cutter = Cutter::default();
    let mut held = Vec::new();
    loop {
        let read = engine.read(&mut chunk).await?;
        if read == 0 {
            return Ok(Silence::Closed);
        }
        if !shared.waiting.load(Ordering::Acquire) && held.is_empty() {
            cutter.pass(&chunk[..read]);
            client.write_all(&chunk[..read]).await?;
        } else {
            held.extend_from_slice(&chunk[..read]);
            let (forward, found) = cutter.look_for(&held, shared.nonce.as_bytes());
            client.write_all(&held[..forward]).await?;
            held.drain(..forward);
            if found {
                client.flush().await?;
                return Ok(Silence::Answered);
            }
        }
        client.flush().await?;
    }
}

/// Where packets end in a stream of them.
#[derive(Default)]
struct Cutter {
    head: [u8; 4],
    have: usize,
    left: usize,
}

impl Cutter {
    /// Notes bytes that go on unseen.
    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let part = self.left.min(bytes.len());
                self.left -= part;
                bytes = &bytes[part..];
                continue;
            }
            let part = (4 - self.have).min(bytes.len());
            self.head[self.have..self.have + part].copy_from_slice(&bytes[..part]);
            self.have += part;
            bytes = &bytes[part..];
            if self.have == 4 {
                self.left = packet::header(self.head).0;
                self.have = 0;
            }
        }
    }

    /// How many bytes of `held` can go on, and whether the error packet with `nonce` is what follows them.
    fn look_for(&mut self, held: &[u8], nonce: &[u8]) -> (usize, bool) {
        let mut at = 0;
        // The packet that had begun before anybody looked.
        while (self.left > 0 || self.have > 0) && at < held.len() {
            let part = if self.left > 0 { self.left.min(held.len() - at) } else { 1 };
            self.pass(&held[at..at + part]);
            at += part;
        }
        while self.left == 0 && self.have == 0 {
            let Some(head) = held[at..].first_chunk::<4>() else { return (at, false) };
            let (length, _) = packet::header(*head);
            let Some(first) = held.get(at + 4).copied().or((length == 0).then_some(0)) else { return (at, false) };
            if first == 0xff && length < 1024 {
                let Some(payload) = held.get(at + 4..at + 4 + length) else { return (at, false) };
                if payload.windows(nonce.len()).any(|window| window == nonce) {
                    return (at, true);
                }
            }
            let end = (at + 4 + length).min(held.len());
            self.pass(&held[at..end]);
            at = end;
        }
        (at, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_found_wherever_the_stream_is_cut() {
        let mut stream = Vec::new();
        packet::frame(&mut stream, 1, b"\x00row with \xff");
        packet::frame(&mut stream, 2, b"");
        packet::frame(&mut stream, 1, b"\xff\x10\x04#42000another error");
        let before = stream.len();
        packet::frame(&mut stream, 1, b"\xff\x6c\x06#45000nonce");
        for seen in 0..before {
            for second in seen..=stream.len() {
                let mut cutter = Cutter::default();
                cutter.pass(&stream[..seen]);
                let mut held = stream[seen..second].to_vec();
                let (forward, found) = cutter.look_for(&held, b"nonce");
                assert_eq!(found, second == stream.len(), "{seen} {second}");
                held.drain(..forward);
                held.extend_from_slice(&stream[second..]);
                if !found {
                    let (after, found) = cutter.look_for(&held, b"nonce");
                    assert!(found, "{seen} {second}");
                    assert_eq!(seen + forward + after, before);
                }
            }
        }
    }

    #[test]
    fn a_command_of_several_packets_is_one_text() {
        let payload: Vec<u8> = (0..LONGEST + 10).map(|at| at.to_le_bytes()[0]).collect();
        let mut raw = Vec::new();
        packet::frame(&mut raw, 0, &payload);
        assert!(join(&raw) == payload);
    }
}
