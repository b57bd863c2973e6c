//! Logging in to the engine in place of a client: IAM users, and the health check.

use std::io;
use std::sync::Arc;

use rustls_pki_types::{IpAddr, Ipv4Addr, ServerName};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsConnector;

use super::door::{Stream, client_config};
use super::handshake::{Response, switch_to};
use super::packet::{self, Reader};
use super::plugin::Plugin;

/// The largest packet of a login; tokens are about 1 KB, connection attributes at most 64 KB.
pub(super) const LONGEST_LOGIN: usize = 256 * 1024;

/// The name that certificates of this home are for.
pub(super) fn loopback() -> ServerName<'static> {
    ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([127, 0, 0, 1])))
}

/// A connection to the engine on which a client's login is going on.
pub(super) struct Engine {
    pub(super) stream: Stream,
    pub(super) sequence: u8,
}

impl Engine {
    pub(super) async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(payload.len() + 4);
        self.sequence = self.sequence.wrapping_add(1);
        packet::frame(&mut out, self.sequence, payload);
        self.stream.write_all(&out).await?;
        self.stream.flush().await
    }

    pub(super) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let (sequence, payload) = packet::read(&mut self.stream, LONGEST_LOGIN).await?;
        self.sequence = sequence;
        Ok(payload)
    }

    /// Sends the client's answer; over TLS for a user that the engine only takes over TLS.
    pub(super) async fn answer(mut self, response: &Response, authority: Option<&std::path::Path>) -> io::Result<Self> {
        let Some(authority) = authority else {
            self.send(&response.for_engine()).await?;
            return Ok(self);
        };
        let (ask, answer) = response.over_tls();
        self.send(&ask).await?;
        let connector = TlsConnector::from(Arc::new(client_config(authority)?));
        let stream = connector.connect(loopback(), self.stream).await?;
        let mut secured = Engine { stream: Box::new(stream), sequence: self.sequence };
        secured.send(&answer).await?;
        Ok(secured)
    }

    /// Goes on until the engine accepts or refuses `password`; gives its last packet, an OK or an ERR.
    pub(super) async fn prove(&mut self, password: &str) -> io::Result<Vec<u8>> {
        loop {
            let payload = self.receive().await?;
            match payload.first() {
                Some(0x00 | 0xff) => return Ok(payload),
                Some(0xfe) => {
                    let mut reader = Reader(&payload[1..]);
                    let Some(plugin) = Plugin::named(reader.zero_ended()) else {
                        return Err(io::Error::other("the engine keeps an internal user under another plugin"));
                    };
                    let scramble = reader.0.strip_suffix(&[0]).unwrap_or(reader.0);
                    self.send(&plugin.proof(password, scramble)).await?;
                }
                // caching_sha2_password: the proof was enough, or the engine has no fast way to check it yet and asks for the
                // password itself, which TLS or the private socket keeps private.
                Some(0x01) if payload == [1, 3] => {}
                Some(0x01) if payload == [1, 4] => self.send(&[password.as_bytes(), &[0]].concat()).await?,
                _ => return Err(io::Error::other("an answer to a login that is none")),
            }
        }
    }
}

/// The packet that makes a client prove itself with `plugin`.
pub(super) fn ask_for(plugin: &[u8]) -> Vec<u8> {
    switch_to(plugin, b"")
}
