//! The first packets of a connection: the engine's greeting as clients see it, and their answer as the engine sees it.

use std::io;

use super::packet::{Reader, put_integer};
use super::plugin::Plugin;

/// Capability flags (`mysql/include/mysql_com.h`).
pub(super) mod flag {
    pub(crate) const CONNECT_WITH_DB: u32 = 1 << 3;
    pub(crate) const COMPRESS: u32 = 1 << 5;
    pub(crate) const PROTOCOL_41: u32 = 1 << 9;
    pub(crate) const SSL: u32 = 1 << 11;
    pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(crate) const PLUGIN_AUTH: u32 = 1 << 19;
    pub(crate) const CONNECT_ATTRIBUTES: u32 = 1 << 20;
    pub(crate) const LENGTH_CODED_AUTH: u32 = 1 << 21;
    pub(crate) const DEPRECATE_EOF: u32 = 1 << 24;
    pub(crate) const ZSTD: u32 = 1 << 26;
    pub(crate) const QUERY_ATTRIBUTES: u32 = 1 << 27;
}

pub(super) const CLEAR: &[u8] = b"mysql_clear_password";

/// MariaDB's own capabilities are in the last four bytes of the filler; their first is progress reports: packets before the
/// answer to a long statement, which nothing of MySQL's knows.
const PROGRESS_AT: usize = 19;
const PROGRESS: u8 = 1;

/// The collation `utf8mb4_0900_ai_ci`, which MySQL clients name and MariaDB does not know.
const UTF8MB4_0900_AI_CI: u8 = 255;
/// The collation `utf8mb4_unicode_ci`.
const UTF8MB4_UNICODE_CI: u8 = 224;

/// The engine's greeting.
#[derive(Debug)]
pub(super) struct Greeting {
    /// As the engine sent it.
    payload: Vec<u8>,
    /// Where the low half of the capabilities is; the high half is five bytes further on.
    flags_at: usize,
    pub(super) flags: u32,
    pub(super) scramble: Vec<u8>,
}

impl Greeting {
    /// # Errors
    /// It is not a greeting of protocol 10.
    pub(super) fn decode(payload: Vec<u8>) -> io::Result<Self> {
        let mut reader = Reader(&payload);
        if reader.u8()? != 10 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a greeting of protocol 10"));
        }
        reader.zero_ended();
        reader.u32()?;
        let mut scramble = reader.take(8)?.to_vec();
        reader.take(1)?;
        let flags_at = payload.len() - reader.0.len();
        let low = reader.u16()?;
        reader.take(3)?;
        let high = reader.u16()?;
        let length = usize::from(reader.u8()?);
        reader.take(10)?;
        let rest = reader.take(length.saturating_sub(8).max(13).min(reader.0.len()))?;
        scramble.extend(rest.iter().take(12));
        let flags = u32::from(low) | u32::from(high) << 16;
        Ok(Greeting { payload, flags_at, flags, scramble })
    }

    /// What clients get: TLS offered (by the front door, or by the private socket's owner: not), nothing compressed, and
    /// statements without attributes before their text.
    pub(super) fn for_client(&self, tls: bool) -> Vec<u8> {
        let mut flags = self.flags & !(flag::COMPRESS | flag::ZSTD | flag::QUERY_ATTRIBUTES | flag::SSL);
        if tls {
            flags |= flag::SSL;
        }
        let [a, b, c, d] = flags.to_le_bytes();
        let mut payload = self.payload.clone();
        payload[self.flags_at..self.flags_at + 2].copy_from_slice(&[a, b]);
        payload[self.flags_at + 5..self.flags_at + 7].copy_from_slice(&[c, d]);
        payload
    }
}

/// Whether a client's first packet only asks for TLS.
pub(super) fn asks_for_tls(payload: &[u8]) -> bool {
    payload.len() == 32
        && Reader(payload).u32().is_ok_and(|flags| flags & flag::SSL != 0 && flags & flag::PROTOCOL_41 != 0)
}

/// The client's answer to the greeting (`HandshakeResponse41`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) flags: u32,
    longest: u32,
    collation: u8,
    /// 23 bytes; MariaDB's own clients put further capabilities into the last four.
    filler: Vec<u8>,
    pub(super) user: Vec<u8>,
    pub(super) auth: Vec<u8>,
    pub(super) database: Option<Vec<u8>>,
    pub(super) plugin: Option<Vec<u8>>,
    /// Connection attributes and what may follow, as they came.
    rest: Vec<u8>,
}

impl Response {
    /// # Errors
    /// The packet is cut short, or of the protocol before 4.1.
    pub(super) fn decode(payload: &[u8]) -> io::Result<Self> {
        let mut reader = Reader(payload);
        let flags = reader.u32()?;
        if flags & flag::PROTOCOL_41 == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a client of the protocol before 4.1"));
        }
        let longest = reader.u32()?;
        let collation = reader.u8()?;
        let mut filler = reader.take(23)?.to_vec();
        filler[PROGRESS_AT] &= !PROGRESS;
        let user = reader.zero_ended().to_vec();
        let auth = if flags & flag::LENGTH_CODED_AUTH != 0 {
            reader.text()?
        } else if flags & flag::SECURE_CONNECTION != 0 {
            let length = reader.u8()?;
            reader.take(usize::from(length))?
        } else {
            reader.zero_ended()
        };
        let auth = auth.to_vec();
        let database = (flags & flag::CONNECT_WITH_DB != 0).then(|| reader.zero_ended().to_vec());
        let plugin = (flags & flag::PLUGIN_AUTH != 0).then(|| reader.zero_ended().to_vec());
        Ok(Response { flags, longest, collation, filler, user, auth, database, plugin, rest: reader.0.to_vec() })
    }

    /// A login of our own.
    pub(super) fn internal(user: &str, plugin: Plugin, auth: Vec<u8>) -> Self {
        Response {
            flags: flag::PROTOCOL_41 | flag::SECURE_CONNECTION | flag::PLUGIN_AUTH | 1,
            longest: 1 << 24,
            collation: UTF8MB4_UNICODE_CI,
            filler: vec![0; 23],
            user: user.as_bytes().to_vec(),
            auth,
            database: None,
            plugin: Some(plugin.name().into()),
            rest: Vec::new(),
        }
    }

    /// The same session, logging in with another proof.
    pub(super) fn proving(&self, plugin: Plugin, auth: Vec<u8>) -> Self {
        Response { auth, plugin: Some(plugin.name().into()), flags: self.flags | flag::PLUGIN_AUTH, ..self.clone() }
    }

    /// Puts a collation that the engine knows in place of MySQL 8's default.
    pub(super) fn known_to_mariadb(&mut self) {
        if self.collation == UTF8MB4_0900_AI_CI {
            self.collation = UTF8MB4_UNICODE_CI;
        }
    }

    /// What the engine gets over the private socket: no TLS, no compression.
    pub(super) fn for_engine(&self) -> Vec<u8> {
        let mut out = self.head(self.flags & !(flag::SSL | flag::COMPRESS | flag::ZSTD | flag::QUERY_ATTRIBUTES));
        self.tail(&mut out);
        out
    }

    /// What a server with TLS gets: the packet that asks for TLS, and the one that follows inside it.
    pub(super) fn over_tls(&self) -> (Vec<u8>, Vec<u8>) {
        let ask = self.head(self.flags | flag::SSL);
        let mut out = ask.clone();
        self.tail(&mut out);
        (ask, out)
    }

    fn head(&self, flags: u32) -> Vec<u8> {
        let mut out = flags.to_le_bytes().to_vec();
        out.extend_from_slice(&self.longest.to_le_bytes());
        out.push(self.collation);
        out.extend_from_slice(&self.filler);
        out
    }

    fn tail(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.user);
        out.push(0);
        if self.flags & flag::LENGTH_CODED_AUTH != 0 {
            put_integer(out, self.auth.len() as u64);
            out.extend_from_slice(&self.auth);
        } else if self.flags & flag::SECURE_CONNECTION != 0 {
            // Longer ones need the length-coded form, which their sender then has agreed on.
            out.push(u8::try_from(self.auth.len()).unwrap_or(0));
            out.extend_from_slice(&self.auth);
        } else {
            out.extend_from_slice(&self.auth);
            out.push(0);
        }
        for text in [&self.database, &self.plugin].into_iter().flatten() {
            out.extend_from_slice(text);
            out.push(0);
        }
        if self.flags & flag::CONNECT_ATTRIBUTES != 0 || self.flags & 1 == 0 {
            out.extend_from_slice(&self.rest);
        }
    }
}

/// The payload that asks a client to prove itself with another plugin.
pub(super) fn switch_to(plugin: &[u8], data: &[u8]) -> Vec<u8> {
    [&[0xfe], plugin, &[0], data].concat()
}

#[cfg(test)]
mod tests {

    use super::*;

    fn greeting(flags: u32) -> Vec<u8> {
        let [a, b, c, d] = flags.to_le_bytes();
        let mut out = b"\x0a8.0.39\0\x07\0\0\0abcdefgh\0".to_vec();
        out.extend_from_slice(&[a, b, 45, 2, 0, c, d, 21]);
        out.extend_from_slice(&[0; 10]);
        out.extend_from_slice(b"ijklmnopqrst\0mysql_native_password\0");
        out
    }

    #[test]
    fn a_greeting_offers_tls_and_no_compression_and_is_otherwise_the_engines() {
        let all = flag::COMPRESS | flag::ZSTD | flag::QUERY_ATTRIBUTES | flag::PROTOCOL_41 | flag::DEPRECATE_EOF;
        let greeting = Greeting::decode(greeting(all)).unwrap();
        assert_eq!(greeting.scramble, b"abcdefghijklmnopqrst");
        let seen = Greeting::decode(greeting.for_client(true)).unwrap();
        assert_eq!(seen.flags, flag::SSL | flag::PROTOCOL_41 | flag::DEPRECATE_EOF);
        assert_eq!(seen.scramble, greeting.scramble);
        assert_eq!(Greeting::decode(greeting.for_client(false)).unwrap().flags & flag::SSL, 0);
    }

    #[test]
    fn mariadbs_progress_reports_are_not_asked_for() {
        let mut payload = (flag::PROTOCOL_41 | flag::SECURE_CONNECTION).to_le_bytes().to_vec();
        payload.extend_from_slice(&[0, 0, 0, 1, 45]);
        payload.extend_from_slice(&[0; 19]);
        payload.extend_from_slice(&[0x1d, 0, 0, 0]);
        payload.extend_from_slice(b"joe\0\x00");
        let sent = Response::decode(&payload).unwrap().for_engine();
        assert_eq!(sent[9 + PROGRESS_AT..9 + PROGRESS_AT + 4], [0x1c, 0, 0, 0]);
        assert_eq!(sent.len(), payload.len());
    }

    #[test]
    fn a_response_goes_to_the_engine_as_it_came_but_for_tls() {
        let flags = flag::PROTOCOL_41
            | flag::SSL
            | flag::SECURE_CONNECTION
            | flag::PLUGIN_AUTH
            | flag::CONNECT_WITH_DB
            | flag::CONNECT_ATTRIBUTES
            | 1;
        let mut payload = flags.to_le_bytes().to_vec();
        payload.extend_from_slice(&[0, 0, 0, 1, 255]);
        payload.extend_from_slice(&[0; 23]);
        payload.extend_from_slice(b"joe\0\x03abcdb\0mysql_native_password\0\x04\x01a\x01b");
        let mut response = Response::decode(&payload).unwrap();
        assert_eq!(response.user, b"joe");
        assert_eq!(response.auth, b"abc");
        assert_eq!(response.database.as_deref(), Some(&b"db"[..]));
        let mut expected = payload.clone();
        expected[..4].copy_from_slice(&(flags & !flag::SSL).to_le_bytes());
        assert_eq!(response.for_engine(), expected);
        assert_eq!(response.over_tls().1, payload);
        assert!(asks_for_tls(&response.over_tls().0));
        response.known_to_mariadb();
        assert_eq!(response.for_engine()[8], UTF8MB4_UNICODE_CI);
    }

    #[test]
    fn every_cut_of_a_response_is_read_or_refused_without_a_panic() {
        let response = Response::internal("joe", Plugin::Native, vec![1; 20]).over_tls().1;
        for end in 0..response.len() {
            let _ = Response::decode(&response[..end]);
            let _ = Greeting::decode(response[..end].to_vec());
        }
    }
}
