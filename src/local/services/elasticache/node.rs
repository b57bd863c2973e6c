//! One node: a real server process with a directory, a certificate and a port of its own.
//!
//! Its memory is all it has: a node that ends comes back empty, as ElastiCache's do, and so does every node when the local
//! cloud starts again. No snapshot and no append-only file is ever written.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::resp::{self, Access, RespError};
use super::state::Group;
use super::versions;
use crate::cloud::Cloud;
use crate::process::engines::Engine;
use crate::process::ready::{self, NotReady};
use crate::process::spawn::Output;
use crate::process::{Child, ChildSpec, SpawnError};

/// The user of the local cloud itself on every node.
const KEEPER: &str = "labctl";

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    #[error("cannot prepare its directory")]
    Directory(#[source] std::io::Error),
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(transparent)]
    NotReady(#[from] NotReady<RespError>),
}

impl NodeError {
    /// It ended by itself while starting: its port was taken, perhaps.
    pub(super) const fn ended_early(&self) -> bool {
        matches!(self, NodeError::NotReady(NotReady::Ended { .. }))
    }
}

/// What a node needs to start, taken from its group's record.
pub(super) struct Plan {
    pub(super) region: String,
    pub(super) group: Group,
    /// Which of the group's nodes: 0 is the primary.
    pub(super) at: usize,
    pub(super) engine: Engine,
    pub(super) values: BTreeMap<String, String>,
}

impl Plan {
    fn cluster(&self) -> &str {
        self.group.nodes.get(self.at).map(|node| node.cluster.as_str()).unwrap_or_default()
    }

    fn port(&self) -> u16 {
        self.group.nodes.get(self.at).map(|node| node.port).unwrap_or_default()
    }

    fn directory(&self, cloud: &Cloud) -> PathBuf {
        directory(cloud, &self.region, self.cluster())
    }

    /// Starts the process and waits until it has answered a PING, over verified TLS where the group has it; a replica also
    /// until it is in step with its primary.
    pub(super) async fn start(&self, cloud: &Arc<Cloud>) -> Result<Child, NodeError> {
        let directory = self.directory(cloud);
        let certificate = cloud.authority.issue(&directory, &[]).map_err(NodeError::Directory)?;
        let mut settings = self.settings();
        if self.group.tls {
            let files = [("tls-cert-file", &certificate.certificate), ("tls-key-file", &certificate.key)];
            for (name, path) in files.into_iter().chain([("tls-ca-cert-file", &cloud.authority.certificate_file())]) {
                let _ = writeln!(settings, "{name} {}", quoted(&path.display().to_string()));
            }
        }
        let _ = writeln!(settings, "dir {}", quoted(&directory.display().to_string()));
        let file = directory.join("server.conf");
        crate::store::replace(&file, settings.as_bytes()).map_err(NodeError::Directory)?;
        let child = cloud.processes.spawn(ChildSpec {
            name: format!("cache node {}", self.cluster()),
            program: self.engine.program.clone(),
            // Settings come from the file alone: what is in argv, everybody can read.
            args: vec![OsString::from(file)],
            env: vec![("LC_ALL".into(), "C".into()), ("PATH".into(), "/usr/bin:/bin".into())],
            directory,
            output: Output::File(cloud.home.logs().join(format!("elasticache/{}.log", self.cluster()))),
        });
        let child = child.await?;
        let access = access(cloud, &self.group, self.port()).map_err(NodeError::Directory)?;
        let replica = self.at > 0;
        let handshake = || async {
            let answers = resp::ask(&access, &[&["PING"], &["INFO", "replication"]]).await?;
            match answers.as_slice() {
                [pong, _] if pong != "PONG" => Err(RespError::Said(pong.clone())),
                [_, info] if replica && !info.contains("master_link_status:up") => {
                    Err(RespError::Said("the replica is not in step with its primary yet".to_owned()))
                }
                _ => Ok(()),
            }
        };
        match ready::wait(&child, Duration::from_secs(30), handshake).await {
            Ok(()) => Ok(child),
            Err(error) => {
                child.kill().await;
                Err(error.into())
            }
        }
    }

    fn settings(&self) -> String {
        let (group, port) = (&self.group, self.port());
        let mut text = String::from(
            "# Made by labctl at every start.\nbind 127.0.0.1\nprotected-mode no\ndaemonize no\nsave \"\"\nappendonly no\n",
        );
        if group.tls {
            let _ = writeln!(
                text,
                "port 0\ntls-port {port}\ntls-auth-clients no\ntls-replication yes\ntls-protocols \"TLSv1.2 TLSv1.3\""
            );
        } else {
            let _ = writeln!(text, "port {port}");
        }
        // What AWS does not let its users do, so that what works here works there.
        for command in ["BGREWRITEAOF", "BGSAVE", "DEBUG", "MIGRATE", "REPLICAOF", "SAVE", "SHUTDOWN", "SLAVEOF"] {
            let _ = writeln!(text, "rename-command {command} \"\"");
        }
        let _ = writeln!(text, "rename-command CONFIG {}", config_command(group));
        let _ = writeln!(text, "user {KEEPER} on #{} ~* &* +@all", hashed(&group.secret));
        let _ = writeln!(
            text,
            "user default {} ~* &* +@all -acl|setuser -acl|deluser -acl|load -acl|save",
            user_passwords(&group.tokens)
        );
        if self.at > 0 {
            let _ = writeln!(
                text,
                "replicaof 127.0.0.1 {}\nmasteruser {KEEPER}\nmasterauth {}",
                group.primary_port(),
                group.secret
            );
            text.push_str("repl-diskless-load on-empty-db\n");
        }
        text.push_str("repl-diskless-sync yes\nrepl-diskless-sync-delay 0\n");
        for (name, value) in tuning(group, &self.values) {
            let _ = writeln!(text, "{name} {}", quoted(&value));
        }
        text
    }
}

/// Where a node's files lie.
pub(super) fn directory(cloud: &Cloud, region: &str, cluster: &str) -> PathBuf {
    cloud.home.state("elasticache").join("nodes").join(region).join(cluster)
}

/// How the local cloud reaches a node of `group`.
pub(super) fn access(cloud: &Cloud, group: &Group, port: u16) -> std::io::Result<Access> {
    let tls = if group.tls { Some(resp::trust(&cloud.authority.certificate_file())?) } else { None };
    Ok(Access { port, tls, user: KEEPER, secret: group.secret.clone() })
}

/// Memory and the parameter group's values: what `CONFIG SET` can change as well.
pub(super) fn tuning(group: &Group, values: &BTreeMap<String, String>) -> Vec<(&'static str, String)> {
    let memory = versions::memory(&group.node_type).unwrap_or(384);
    let parameters = versions::PARAMETERS.iter();
    let set = parameters
        .map(|known| (known.name, values.get(known.name).cloned().unwrap_or_else(|| known.default.to_owned())));
    // A Redis that was built without jemalloc cannot defragment, and will not start when told to.
    let set = set.filter(|(name, value)| *name != "activedefrag" || value != "no");
    [("maxmemory", format!("{memory}mb"))].into_iter().chain(set).collect()
}

/// `CONFIG` under a name that only the local cloud knows.
pub(super) fn config_command(group: &Group) -> String {
    format!("config-{}", &hashed(&group.secret)[..32])
}

/// The `ACL` words for who the user of clients is.
pub(super) fn user_passwords(tokens: &[String]) -> String {
    match tokens {
        [] => "on nopass".to_owned(),
        tokens => {
            let hashes = tokens.iter().map(|token| format!(" #{}", hashed(token)));
            format!("on{}", hashes.collect::<String>())
        }
    }
}

fn hashed(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
