//! The few words of the Redis protocol that the local cloud speaks itself: a handshake, and settings.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How to reach a node, and as whom.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) port: u16,
    /// Set where the node speaks TLS: it is verified by the local authority.
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    pub(super) user: &'static str,
    pub(super) secret: String,
}

/// A node does not answer as it should.
#[derive(Debug)]
pub(super) enum RespError {
    Io(io::Error),
    /// The node's own error line; never a secret.
    Said(String),
    TimedOut,
}

impl fmt::Display for RespError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RespError::Io(error) => write!(f, "{error}"),
            RespError::Said(line) => write!(f, "it said: {line}"),
            RespError::TimedOut => f.write_str("it did not answer in time"),
        }
    }
}

impl std::error::Error for RespError {}

impl From<io::Error> for RespError {
    fn from(error: io::Error) -> Self {
        RespError::Io(error)
    }
}

/// TLS that trusts the local authority and nothing else.
pub(super) fn trust(authority: &Path) -> io::Result<Arc<rustls::ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).map_err(io::Error::other)? {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(Arc::new(config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth()))
}

/// Authenticates, sends each command, and gives their answers as text.
pub(super) async fn ask(access: &Access, commands: &[&[&str]]) -> Result<Vec<String>, RespError> {
    const PATIENCE: Duration = Duration::from_secs(5);
    match tokio::time::timeout(PATIENCE, connect_and_ask(access, commands)).await {
        Ok(answers) => answers,
        Err(_) => Err(RespError::TimedOut),
    }
}

async fn connect_and_ask(access: &Access, commands: &[&[&str]]) -> Result<Vec<String>, RespError> {
    let stream = TcpStream::connect(("127.0.0.1", access.port)).await?;
    stream.set_nodelay(true)?;
    match &access.tls {
        Some(config) => {
            let name = ServerName::try_from("127.0.0.1").map_err(io::Error::other)?;
            talk(TlsConnector::from(config.clone()).connect(name, stream).await?, access, commands).await
        }
        None => talk(stream, access, commands).await,
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    access: &Access,
    commands: &[&[&str]],
) -> Result<Vec<String>, RespError> {
    let mut stream = BufReader::new(stream);
    exchange(&mut stream, &["AUTH", access.user, &access.secret]).await?;
    let mut answers = Vec::new();
    for command in commands {
        answers.push(exchange(&mut stream, command).await?);
    }
    Ok(answers)
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    words: &[&str],
) -> Result<String, RespError> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.get_mut().write_all(request.as_bytes()).await?;
    stream.get_mut().flush().await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+" | ":", rest)) => Ok(rest.to_owned()),
        Some(("-", rest)) => Err(RespError::Said(rest.to_owned())),
        Some(("$", length)) => {
            let Ok(length) = length.parse::<usize>() else { return Ok(String::new()) };
            let mut bytes = vec![0; length + 2];
            stream.read_exact(&mut bytes).await?;
            Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
        }
        _ => Err(RespError::Said(format!("an answer that is not understood: {line}"))),
    }
}
