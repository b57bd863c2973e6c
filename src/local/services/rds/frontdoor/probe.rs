//! The health check: a real login through the front door, over TLS, as a client would do it.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::TcpStream;

use super::handshake::{Greeting, Response};
use super::login::{Engine, LONGEST_LOGIN};
use super::packet;
use crate::services::rds::cluster::Cluster;

/// Logs in to the cluster at its own endpoint.
///
/// # Errors
/// Whatever a client would have met.
pub(crate) async fn probe(cluster: &Cluster) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, cluster.settings().port)).await?;
    let (sequence, payload) = packet::read(&mut stream, LONGEST_LOGIN).await?;
    if payload.first() == Some(&0xff) {
        return Err(io::Error::other(packet::error_message(&payload)));
    }
    let greeting = Greeting::decode(payload)?;
    let plugin = cluster.plugin();
    let (user, password) = cluster.health_login();
    let response = Response::internal(user, plugin, plugin.proof(&password, &greeting.scramble));
    let door = Engine { stream: Box::new(stream), sequence };
    let mut door = door.answer(&response, Some(&cluster.cloud.authority.certificate_file())).await?;
    let answer = door.prove(&password).await?;
    match answer.first() {
        Some(0x00) => Ok(()),
        _ => Err(io::Error::other(packet::error_message(&answer))),
    }
}
