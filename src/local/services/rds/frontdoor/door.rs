//! The listeners of a cluster.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::session;
use crate::services::rds::cluster::{Cluster, ClusterError};
use crate::socket::settle;
use crate::tls::CertificateFiles;

/// A connection, whatever carries it.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

pub(super) type Stream = Box<dyn Duplex>;

/// How a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// The cluster's port: TLS is on offer.
    Port,
    /// The private socket, as the Data API does: nobody else can reach it.
    Private,
}

/// The front door of one cluster.
pub(crate) struct Door {
    pub(super) cluster: Arc<Cluster>,
    pub(super) tls: TlsAcceptor,
}

/// How long a client may take none of its results before its session is given up: MySQL's `net_write_timeout`.
const UNTAKEN_FOR: Duration = Duration::from_secs(60);

impl Door {
    /// Binds the cluster's port and private socket, and serves them until the cluster is stopped. The task that is returned
    /// ends when both are free again.
    ///
    /// # Errors
    /// The port is taken, or the certificate cannot be made.
    pub(crate) async fn open(cluster: Arc<Cluster>) -> Result<JoinHandle<()>, ClusterError> {
        let port = cluster.settings().port;
        let files = cluster.cloud.authority.issue(&cluster.directory().join("tls"), &[])?;
        let tls = TlsAcceptor::from(Arc::new(server_config(&files)?));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|source| ClusterError::Port { port, source })?;
        let path = cluster.door_socket();
        let _ = std::fs::remove_file(&path);
        let private = UnixListener::bind(&path)?;
        let door = Arc::new(Door { cluster, tls });
        Ok(tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = door.cluster.stopped() => break,
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            settle(&stream, UNTAKEN_FOR);
                            door.clone().admit(Box::new(stream), Via::Port);
                        }
                        Err(error) => pause(&error).await,
                    },
                    accepted = private.accept() => match accepted {
                        Ok((stream, _)) => door.clone().admit(Box::new(stream), Via::Private),
                        Err(error) => pause(&error).await,
                    },
                }
            }
            let _ = std::fs::remove_file(&path);
        }))
    }

    fn admit(self: Arc<Self>, stream: Stream, via: Via) {
        tokio::spawn(async move {
            let cluster = self.cluster.clone();
            // The Data API comes for its calls, of which it tells; its connections stay.
            let client = (via == Via::Port).then(|| cluster.enter());
            tokio::select! {
                served = session::serve(&self, stream, via) => {
                    if let Err(error) = served {
                        debug!(cluster = %cluster.settings().identifier, %error, "a database connection ended");
                    }
                }
                () = cluster.stopped() => {}
            }
            drop(client);
        });
    }
}

/// Out of file descriptors, most likely: others will be closed.
async fn pause(error: &io::Error) {
    warn!(%error, "a database connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn server_config(files: &CertificateFiles) -> io::Result<ServerConfig> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&files.certificate).map_err(io::Error::other)?.collect();
    let chain = chain.map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(io::Error::other)?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)
}

/// How the front door, as a client, trusts what this home's authority has signed.
pub(super) fn client_config(authority: &std::path::Path) -> io::Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).map_err(io::Error::other)? {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
