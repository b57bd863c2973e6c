//! One client's connection: the login, then the relay.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tracing::info;

use super::door::{Door, Stream, Via};
use super::handshake::{CLEAR, Greeting, Response, asks_for_tls, flag};
use super::login::{Engine, LONGEST_LOGIN, ask_for};
use super::packet::{self, SqlError};
use super::relay::Relay;
use super::token::{Expected, verify};
use crate::allowed::is_allowed;
use crate::scope::Caller;
use crate::services::rds::cluster::Cluster;
use crate::services::rds::engine::ADMIN;

/// How long a client may take to log in (`connect_timeout`).
const LOGIN: Duration = Duration::from_secs(10);
/// How long a new connection waits for an engine that is coming back after it died.
const RECOVERY: Duration = Duration::from_secs(30);

/// The client's side of a login.
struct Client {
    stream: Stream,
    sequence: u8,
    secure: bool,
}

impl Client {
    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(payload.len() + 4);
        self.sequence = packet::frame(&mut out, self.sequence, payload).wrapping_sub(1);
        self.stream.write_all(&out).await?;
        self.stream.flush().await
    }

    async fn reply(&mut self, payload: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(payload).await
    }

    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let (sequence, payload) = packet::read(&mut self.stream, LONGEST_LOGIN).await?;
        self.sequence = sequence;
        Ok(payload)
    }
}

/// Serves a connection from its greeting to its end.
pub(super) async fn serve(door: &Door, stream: Stream, via: Via) -> io::Result<()> {
    let mut client = Client { stream, sequence: 0, secure: via == Via::Private };
    let Some((engine, greeting)) = greet(door, &mut client, via).await? else { return Ok(()) };
    let login = tokio::time::timeout(LOGIN, login(door, client, via, (engine, greeting)));
    match login.await.map_err(io::Error::other)?? {
        Some(relay) => relay.run().await,
        None => Ok(()),
    }
}

/// A new connection to the engine and its first packet. An engine that has just died is waited for.
async fn greeted(cluster: &Cluster) -> io::Result<(Engine, Vec<u8>)> {
    let deadline = tokio::time::Instant::now() + RECOVERY;
    loop {
        let problem = match UnixStream::connect(cluster.socket()).await {
            Ok(stream) => {
                let mut engine = Engine { stream: Box::new(stream), sequence: 0 };
                match engine.receive().await {
                    Ok(payload) => return Ok((engine, payload)),
                    Err(problem) => problem,
                }
            }
            Err(problem) => problem,
        };
        if tokio::time::Instant::now() > deadline {
            return Err(problem);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        cluster.running(RECOVERY).await.map_err(io::Error::other)?;
    }
}

/// Greets the client with the engine's greeting. `None`: there is none, and the client knows.
async fn greet(door: &Door, client: &mut Client, via: Via) -> io::Result<Option<(Engine, Greeting)>> {
    let cluster = &door.cluster;
    // An engine that was paused is waited for; so is what somebody added to its return on purpose.
    let running = if cluster.is_paused() { cluster.be_awake().await } else { cluster.running(RECOVERY).await };
    if running.is_err() {
        client.send(&SqlError::new(1053, "08S01", "Server shutdown in progress").encode()).await?;
        return Ok(None);
    }
    let (engine, payload) = greeted(cluster).await?;
    if payload.first() == Some(&0xff) {
        client.send(&payload).await?;
        return Ok(None);
    }
    let greeting = Greeting::decode(payload)?;
    client.send(&greeting.for_client(via == Via::Port)).await?;
    Ok(Some((engine, greeting)))
}

/// What MySQL says to a login that it cannot read.
async fn bad_handshake(mut client: Client) -> io::Result<Option<Relay>> {
    client.reply(&SqlError::new(1043, "08S01", "Bad handshake").encode()).await.map(|()| None)
}

/// `None`: refused, and the client knows.
async fn login(
    door: &Door,
    mut client: Client,
    via: Via,
    (engine, greeting): (Engine, Greeting),
) -> io::Result<Option<Relay>> {
    let cluster = &door.cluster;
    let mut payload = match client.receive().await {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return bad_handshake(client).await,
        received => received?,
    };
    if via == Via::Port && asks_for_tls(&payload) {
        let stream = door.tls.accept(client.stream).await?;
        client = Client { stream: Box::new(stream), sequence: client.sequence, secure: true };
        payload = client.receive().await?;
    }
    let Ok(mut response) = Response::decode(&payload) else { return bad_handshake(client).await };
    if cluster.is_mariadb() {
        response.known_to_mariadb();
    }
    match admit(cluster, &greeting, &mut client, engine, &response).await? {
        Ok(engine) => Ok(Some(Relay::new(cluster.clone(), client.stream, engine.stream, agreed(&greeting, &response)))),
        Err(refusal) => {
            client.reply(&refusal).await?;
            Ok(None)
        }
    }
}

/// What both sides can do; the engine decides alike.
fn agreed(greeting: &Greeting, response: &Response) -> u32 {
    greeting.flags & response.flags & !(flag::COMPRESS | flag::ZSTD | flag::QUERY_ATTRIBUTES)
}

fn denied(user: &[u8]) -> Vec<u8> {
    let user = String::from_utf8_lossy(user);
    SqlError::new(1045, "28000", format!("Access denied for user '{user}'@'127.0.0.1' (using password: YES)")).encode()
}

/// Logs the client in to the engine. Gives the engine's connection, or the refusal for the client.
async fn admit(
    cluster: &Cluster,
    greeting: &Greeting,
    client: &mut Client,
    engine: Engine,
    response: &Response,
) -> io::Result<Result<Engine, Vec<u8>>> {
    if !client.secure && cluster.settings().require_secure_transport {
        let message = "Connections using insecure transport are prohibited while --require_secure_transport=ON.";
        return Ok(Err(SqlError::new(3159, "HY000", message).encode()));
    }
    if response.user == ADMIN.as_bytes() {
        return Ok(Err(denied(&response.user)));
    }
    let account = cluster.account(&response.user).await.map_err(io::Error::other)?;
    let authority = cluster.cloud.authority.certificate_file();
    let authority = (account.tls && client.secure).then_some(authority.as_path());
    if account.iam {
        if !client.secure || !vouched_for(cluster, client, &response.user).await? {
            return Ok(Err(denied(&response.user)));
        }
        let password = cluster.iam_password(&response.user);
        let plugin = cluster.plugin();
        let own = response.proving(plugin, plugin.proof(&password, &greeting.scramble));
        let mut engine = engine.answer(&own, authority).await?;
        let answer = engine.prove(&password).await?;
        return finish(client, engine, answer).await;
    }
    let mut engine = engine.answer(response, authority).await?;
    loop {
        let payload = engine.receive().await?;
        match payload.first() {
            Some(0x00 | 0xff) => return finish(client, engine, payload).await,
            // caching_sha2_password: the password is known already, the engine goes on speaking.
            Some(0x01) if payload == [1, 3] => client.reply(&payload).await?,
            // It wants the password itself. Without TLS a client would send it by the engine's RSA key, which it does not have.
            Some(0x01) if payload == [1, 4] && !client.secure => {
                let message = "Authentication plugin 'caching_sha2_password' reported error: Authentication requires secure connection.";
                return Ok(Err(SqlError::new(1045, "28000", message).encode()));
            }
            _ => {
                client.reply(&payload).await?;
                let proof = client.receive().await?;
                engine.send(&proof).await?;
            }
        }
    }
}

async fn finish(client: &mut Client, engine: Engine, answer: Vec<u8>) -> io::Result<Result<Engine, Vec<u8>>> {
    if answer.first() == Some(&0xff) {
        return Ok(Err(answer));
    }
    client.reply(&answer).await?;
    Ok(Ok(engine))
}

/// Asks for the token, and checks it. TLS is on: the client sends it as it is.
async fn vouched_for(cluster: &Cluster, client: &mut Client, user: &[u8]) -> io::Result<bool> {
    client.reply(&ask_for(CLEAR)).await?;
    let token = client.receive().await?;
    let settings = cluster.settings();
    if !settings.iam {
        info!(cluster = %settings.identifier, "an IAM login was refused: IAM database authentication is not enabled");
        return Ok(false);
    }
    let token = token.strip_suffix(&[0]).unwrap_or(&token);
    let (Ok(token), Ok(user)) = (std::str::from_utf8(token), std::str::from_utf8(user)) else { return Ok(false) };
    let endpoint = settings.endpoint();
    let now = cluster.cloud.clock.now();
    let expected = Expected { endpoint: &endpoint, user, region: &settings.scope.region, now };
    let identified = verify(token, &expected, |key, session| cluster.cloud.credentials.identify(key, session, now));
    match identified {
        Ok(identity) => Ok(may_connect(cluster, &identity.caller, user).await),
        Err(reason) => {
            info!(cluster = %settings.identifier, user, %reason, "an IAM login was refused");
            Ok(false)
        }
    }
}

/// Whether IAM allows `rds-db:connect`.
async fn may_connect(cluster: &Cluster, caller: &Caller, user: &str) -> bool {
    let settings = cluster.settings();
    let resource = settings.scope.arn("rds-db", format!("dbuser:{}/{user}", settings.resource_id));
    is_allowed(&cluster.cloud, &settings.scope, caller, "rds-db:connect", &resource).await
}
