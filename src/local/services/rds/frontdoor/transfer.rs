//! `LOAD DATA FROM S3` and `SELECT … INTO OUTFILE S3`: the objects are the engine's files, so nothing is copied.
//!
//! The session runs the engine's own `INFILE` or `OUTFILE` with a role lent for that one statement. S3 is asked in the name
//! of the cluster's associated role.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::{info, warn};

use super::handshake::flag;
use super::packet::{self, COM_QUERY, COM_STMT_CLOSE, COM_STMT_PREPARE, Done, Reader, SqlError};
use super::relay::Relay;
use crate::call::{Call, Client};
use crate::fault::Fault;
use crate::scope::{Caller, Scope};
use crate::services::rds::cluster::Cluster;
use crate::services::rds::rewrite::{LoadFromS3, Location, SelectIntoS3, Source, literal};

/// What stops a transfer.
enum Stop {
    /// The connection is gone.
    Io(io::Error),
    Ours(SqlError),
    /// The payload of the engine's own error.
    Engine(Vec<u8>),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Io(error)
    }
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Stop::Ours(error)
    }
}

const SERVER_STATUS_IN_TRANS: u16 = 1;
const SERVER_STATUS_AUTOCOMMIT: u16 = 2;
const LONGEST_ANSWER: usize = packet::LONGEST;

/// Runs a `LOAD DATA FROM S3`; gives the payload of the answer.
pub(super) async fn load(relay: &mut Relay, cluster: &Cluster, load: &LoadFromS3, all: bool) -> io::Result<Vec<u8>> {
    let files = match files(cluster, load).await {
        Ok(files) => files,
        Err(error) => return Ok(error.encode()),
    };
    let mut session = Session { relay, cluster };
    let done = match session.borrow_files("AWS_LOAD_S3_ACCESS", "LOAD FROM S3", all).await {
        Ok(loan) => {
            let done = session.load_all(load, &files).await;
            session.give_back(loan, done).await
        }
        Err(stop) => Err(stop),
    };
    if done.is_ok() {
        record(cluster, &files, load).await;
    }
    answer(done)
}

/// Runs a `SELECT … INTO OUTFILE S3`; gives the payload of the answer.
pub(super) async fn select(
    relay: &mut Relay,
    cluster: &Cluster,
    select: &SelectIntoS3,
    all: bool,
) -> io::Result<Vec<u8>> {
    let mut session = Session { relay, cluster };
    let done = match session.borrow_files("AWS_SELECT_S3_ACCESS", "SELECT INTO S3", all).await {
        Ok(loan) => {
            let done = session.export(select).await;
            session.give_back(loan, done).await
        }
        Err(stop) => Err(stop),
    };
    answer(done)
}

fn answer(done: Result<Done, Stop>) -> io::Result<Vec<u8>> {
    match done {
        Ok(done) => Ok(done.encode()),
        Err(Stop::Ours(error)) => Ok(error.encode()),
        Err(Stop::Engine(payload)) => Ok(payload),
        Err(Stop::Io(error)) => Err(error),
    }
}

/// The client's session with the engine, while the client waits.
struct Session<'a> {
    relay: &'a mut Relay,
    cluster: &'a Cluster,
}

impl Session<'_> {
    async fn send(&mut self, command: u8, text: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(text.len() + 5);
        packet::frame(&mut out, 0, &[&[command], text].concat());
        self.relay.to_engine.write_all(&out).await?;
        self.relay.to_engine.flush().await
    }

    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        packet::read(&mut self.relay.engine, LONGEST_ANSWER).await.map(|(_, payload)| payload)
    }

    /// A statement without rows.
    async fn run(&mut self, sql: &[u8]) -> Result<Done, Stop> {
        self.send(COM_QUERY, sql).await?;
        let payload = self.receive().await?;
        match payload.first() {
            Some(0) => Ok(Done::decode(&payload)?),
            Some(0xff) => Err(Stop::Engine(payload)),
            _ => Err(io::Error::other("rows where none were expected").into()),
        }
    }

    /// The columns of a query with one row.
    async fn row(&mut self, sql: &str) -> Result<Vec<Option<String>>, Stop> {
        self.send(COM_QUERY, sql.as_bytes()).await?;
        let payload = self.receive().await?;
        if payload.first() == Some(&0xff) {
            return Err(Stop::Engine(payload));
        }
        let columns = Reader(&payload).integer()?;
        for _ in 0..columns {
            self.receive().await?;
        }
        if self.relay.flags & flag::DEPRECATE_EOF == 0 {
            self.receive().await?;
        }
        let mut row = Vec::new();
        loop {
            let payload = self.receive().await?;
            match payload.first() {
                Some(0xfe) if payload.len() < 64 => return Ok(row),
                Some(0xff) => return Err(Stop::Engine(payload)),
                _ => {}
            }
            let mut reader = Reader(&payload);
            row.clear();
            while !reader.0.is_empty() {
                row.push(reader.nullable()?.map(|text| String::from_utf8_lossy(text).into_owned()));
            }
        }
    }

    /// The names of a query's columns; the query is not run.
    async fn columns(&mut self, sql: &[u8]) -> Result<Vec<Vec<u8>>, Stop> {
        self.send(COM_STMT_PREPARE, sql).await?;
        let payload = self.receive().await?;
        if payload.first() == Some(&0xff) {
            return Err(Stop::Engine(payload));
        }
        let mut reader = Reader(payload.get(1..).unwrap_or_default());
        let (statement, columns, parameters) = (reader.u32()?, reader.u16()?, reader.u16()?);
        let ends = usize::from(self.relay.flags & flag::DEPRECATE_EOF == 0);
        for _ in 0..usize::from(parameters) + if parameters > 0 { ends } else { 0 } {
            self.receive().await?;
        }
        let mut names = Vec::new();
        for _ in 0..columns {
            let definition = self.receive().await?;
            let mut reader = Reader(&definition);
            // Catalogue, schema, table, original table; then the name.
            for _ in 0..4 {
                reader.text()?;
            }
            names.push(reader.text()?.to_vec());
        }
        if columns > 0 && ends > 0 {
            self.receive().await?;
        }
        self.send(COM_STMT_CLOSE, &statement.to_le_bytes()).await?;
        Ok(names)
    }

    /// Gives the session the role that may use S3's files, if it has `role`.
    async fn borrow_files(&mut self, role: &str, privilege: &str, all: bool) -> Result<Loan, Stop> {
        // MySQL does not list the roles of an enabled role as enabled, though they are in effect.
        let query = format!(
            "SELECT CURRENT_USER(), CURRENT_ROLE(), \
             (WITH RECURSIVE held (name) AS (\
             SELECT ROLE_NAME FROM information_schema.ENABLED_ROLES UNION \
             SELECT further.ROLE_NAME FROM information_schema.APPLICABLE_ROLES AS further JOIN held ON further.GRANTEE = held.name) \
             SELECT COUNT(*) FROM held WHERE name = '{role}'), \
             (SELECT COUNT(*) FROM information_schema.APPLICABLE_ROLES WHERE ROLE_NAME = '{role}')"
        );
        let facts = self.row(&query).await?;
        let fact = |at: usize| facts.get(at).cloned().flatten().unwrap_or_default();
        let (enabled, granted) = (fact(2) != "0", fact(3) != "0");
        if !(enabled || granted && all && self.cluster.is_mariadb()) {
            let message =
                format!("Access denied; you need (at least one of) the {privilege} privilege(s) for this operation");
            return Err(SqlError::new(1227, "42000", message).into());
        }
        let account = account(&fact(0));
        let active = Some(fact(1)).filter(|role| !role.is_empty() && role != "NONE");
        let lent = self.cluster.lend(&account, active.as_deref()).await;
        let lent = lent.map_err(|reason| SqlError::new(1105, "HY000", reason.to_string()))?;
        let (with, before) = match active {
            None => (lent.clone(), "NONE".to_owned()),
            Some(role) if self.cluster.is_mariadb() => (lent.clone(), format!("`{}`", role.replace('`', "``"))),
            Some(roles) => (format!("{roles}, {lent}"), roles),
        };
        let loan = Loan { account, lent, before };
        match self.run(format!("SET ROLE {with}").as_bytes()).await {
            Ok(_) => Ok(loan),
            Err(stop) => {
                self.cluster.take_back(&loan.account, &loan.lent).await;
                Err(stop)
            }
        }
    }

    /// Ends the loan and hands on what was done with it. The warnings of the statement outlive `SET ROLE`.
    async fn give_back(&mut self, loan: Loan, done: Result<Done, Stop>) -> Result<Done, Stop> {
        let back = self.run(format!("SET ROLE {}", loan.before).as_bytes()).await;
        self.cluster.take_back(&loan.account, &loan.lent).await;
        done.and_then(|done| back.map(|_| done))
    }

    /// All files or none, as one statement would.
    async fn load_all(&mut self, load: &LoadFromS3, files: &[Object]) -> Result<Done, Stop> {
        if let [file] = files {
            return self.run(&load.statement(&path_text(&file.path)?, true)).await;
        }
        let before = self.run(b"DO 0").await?;
        let own = before.status & SERVER_STATUS_AUTOCOMMIT != 0 && before.status & SERVER_STATUS_IN_TRANS == 0;
        let (begin, commit, undo) = if own {
            ("START TRANSACTION", "COMMIT", "ROLLBACK")
        } else {
            ("SAVEPOINT labctl_load", "RELEASE SAVEPOINT labctl_load", "ROLLBACK TO SAVEPOINT labctl_load")
        };
        self.run(begin.as_bytes()).await?;
        let mut sum = Counts::default();
        let mut last = Done::default();
        for (at, file) in files.iter().enumerate() {
            match self.run(&load.statement(&path_text(&file.path)?, at == 0)).await {
                Ok(done) => {
                    sum.add(&done);
                    last = done;
                }
                Err(stop) => {
                    // A deadlock has undone it all already, the savepoint too: the client is told that, not what the undo met.
                    if !matches!(stop, Stop::Io(_))
                        && let Err(Stop::Io(gone)) = self.run(undo.as_bytes()).await
                    {
                        return Err(Stop::Io(gone));
                    }
                    return Err(stop);
                }
            }
        }
        let after = self.run(commit.as_bytes()).await?;
        Ok(Done { status: after.status, ..sum.done(last) })
    }

    async fn export(&mut self, select: &SelectIntoS3) -> Result<Done, Stop> {
        let (cluster, to) = (self.cluster, &select.to);
        let scope = scope(cluster, to, cluster.settings().select_role.as_deref()).await?;
        let old = list(cluster, &scope, &to.bucket, &format!("{}.part_", to.key)).await?;
        if !old.is_empty() && !select.overwrite {
            let message = format!("S3 API returned error: Files already exist with the prefix {}", to.key);
            return Err(s3_error(&message).into());
        }
        let header = if select.header { Some(self.header(select).await?) } else { None };
        let path = cluster.incoming().join(format!("{}.rows", cluster.cloud.ids.uuid()));
        let done = match self.rows(select, &path, header.as_deref()).await {
            Ok(done) => done,
            Err(stop) => {
                let _ = std::fs::remove_file(&path);
                let _ = std::fs::remove_file(with_header(&path));
                return Err(stop);
            }
        };
        let part = format!("{}.part_00000", to.key);
        put(cluster, &scope, &to.bucket, &part, path).await?;
        for key in old.iter().filter(|key| **key != part) {
            let input = json!({"Bucket": to.bucket, "Key": key});
            cluster.cloud.call(&scope, "s3", "DeleteObject", input).await.map_err(refused)?;
        }
        if select.manifest {
            let region = to.region.as_deref().unwrap_or(&cluster.settings().scope.region).to_owned();
            let url = format!("s3-{region}://{}/{part}", to.bucket);
            let path = cluster.incoming().join(format!("{}.manifest", cluster.cloud.ids.uuid()));
            std::fs::write(&path, json!({"entries": [{"url": url}]}).to_string())?;
            put(cluster, &scope, &to.bucket, &format!("{}.manifest", to.key), path).await?;
        }
        Ok(done)
    }

    /// Has the engine write the rows to `path`.
    async fn rows(&mut self, select: &SelectIntoS3, path: &Path, header: Option<&[u8]>) -> Result<Done, Stop> {
        let done = self.run(&select.statement(&path_text(path)?)).await?;
        if let Some(header) = header {
            prepend(path, header).await?;
        }
        Ok(done)
    }

    async fn header(&mut self, select: &SelectIntoS3) -> Result<Vec<u8>, Stop> {
        let names = self.columns(&select.query()).await?;
        let names: Vec<Vec<u8>> =
            names.into_iter().map(|name| [&select.enclosure[..], &name, &select.enclosure].concat()).collect();
        Ok([names.join(&select.separator[..]), select.line_end.clone()].concat())
    }
}

/// A role that a session has for one statement.
struct Loan {
    account: String,
    lent: String,
    /// What was active before.
    before: String,
}

/// `'user'@'host'` of what `CURRENT_USER()` says.
fn account(current_user: &str) -> String {
    let (user, host) = current_user.rsplit_once('@').unwrap_or((current_user, "%"));
    let quote = |text: &str| String::from_utf8_lossy(&literal(text.as_bytes())).into_owned();
    format!("{}@{}", quote(user), quote(host))
}

/// The counts that LOAD DATA answers with, over several files.
#[derive(Default)]
struct Counts {
    affected: u64,
    warnings: u16,
    /// Records, deleted, skipped, warnings.
    said: [u64; 4],
}

impl Counts {
    fn add(&mut self, done: &Done) {
        self.affected += done.affected;
        self.warnings = self.warnings.saturating_add(done.warnings);
        let numbers = done.info.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u64>().ok());
        for (sum, number) in self.said.iter_mut().zip(numbers) {
            *sum += number;
        }
    }

    fn done(&self, last: Done) -> Done {
        let [records, deleted, skipped, warnings] = self.said;
        let info = format!("Records: {records}  Deleted: {deleted}  Skipped: {skipped}  Warnings: {warnings}");
        Done { affected: self.affected, warnings: self.warnings, info, ..last }
    }
}

/// An object and the file that holds it.
struct Object {
    key: String,
    version: Option<String>,
    path: PathBuf,
}

fn s3_error(message: &str) -> SqlError {
    SqlError::new(63_985, "HY000", message)
}

fn refused(fault: Fault) -> SqlError {
    s3_error(&format!("S3 API returned error: {}:{}", fault.code, fault.message))
}

fn path_text(path: &Path) -> io::Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| io::Error::other("the home's path is not text"))
}

/// In whose name S3 is asked: the cluster's role, really assumed.
async fn scope(cluster: &Cluster, location: &Location, role: Option<&str>) -> Result<Scope, SqlError> {
    let settings = cluster.settings();
    let missing = || s3_error("S3 API returned error: Missing Credentials: Cannot instantiate S3 Client");
    let role = role.ok_or_else(missing)?;
    let service = settings.scope.as_service("rds.amazonaws.com");
    let input = json!({"RoleArn": role, "RoleSessionName": format!("rds-{}", settings.identifier)});
    let assumed = cluster.cloud.call(&service, "sts", "AssumeRole", input).await.map_err(|fault| {
        info!(cluster = %settings.identifier, role, %fault, "the cluster's role cannot be assumed");
        missing()
    })?;
    let arn = assumed.pointer("/AssumedRoleUser/Arn").and_then(Value::as_str).unwrap_or(role).to_owned();
    let caller = Caller::Role { role_arn: role.to_owned(), arn };
    let region = location.region.clone().unwrap_or_else(|| settings.scope.region.clone());
    Ok(Scope { region, caller, ..settings.scope.clone() })
}

/// The files of the objects that a LOAD names, in the order of their keys or the manifest's.
async fn files(cluster: &Cluster, load: &LoadFromS3) -> Result<Vec<Object>, SqlError> {
    let from = &load.from;
    let scope = scope(cluster, from, cluster.settings().load_role.as_deref()).await?;
    match load.source {
        Source::File => Ok(vec![get(cluster, &scope, &from.bucket, &from.key).await?]),
        Source::Prefix => {
            let keys = list(cluster, &scope, &from.bucket, &from.key).await?;
            // A key that ends in a slash is a folder's own.
            let keys: Vec<String> = keys.into_iter().filter(|key| !key.ends_with('/')).collect();
            if keys.is_empty() {
                return Err(s3_error("S3 API returned error: Not Found:No objects match the prefix"));
            }
            let mut files = Vec::with_capacity(keys.len());
            for key in keys {
                files.push(get(cluster, &scope, &from.bucket, &key).await?);
            }
            Ok(files)
        }
        Source::Manifest => manifest(cluster, &scope, from).await,
    }
}

async fn manifest(cluster: &Cluster, scope: &Scope, from: &Location) -> Result<Vec<Object>, SqlError> {
    let object = get(cluster, scope, &from.bucket, &from.key).await?;
    let bad = || s3_error("S3 API returned error: Invalid manifest file");
    let bytes = tokio::fs::read(&object.path).await.map_err(|_| bad())?;
    let manifest: Value = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    let entries = manifest.get("entries").and_then(Value::as_array).ok_or_else(bad)?;
    let mut files = Vec::with_capacity(entries.len());
    for entry in entries {
        let url = entry.get("url").and_then(Value::as_str).ok_or_else(bad)?;
        let mandatory = entry.get("mandatory").and_then(Value::as_bool).unwrap_or(false);
        let location = Location::parse(url.as_bytes())?;
        match get(cluster, scope, &location.bucket, &location.key).await {
            Ok(file) => files.push(file),
            Err(error) if mandatory => return Err(error),
            Err(error) => info!(url, error = %error.message, "an optional file of a manifest is left out"),
        }
    }
    Ok(files)
}

async fn get(cluster: &Cluster, scope: &Scope, bucket: &str, key: &str) -> Result<Object, SqlError> {
    let input = json!({"Bucket": bucket, "Key": key});
    let reply = cluster.cloud.call_with_body(scope, ("s3", "GetObject"), input, Bytes::new()).await.map_err(refused)?;
    let version = reply.output.get("VersionId").and_then(Value::as_str).map(str::to_owned);
    let path = match reply.file {
        Some(path) => path.canonicalize().unwrap_or(path),
        None => return Err(s3_error("S3 API returned error: InternalError:the object has no file")),
    };
    Ok(Object { key: key.to_owned(), version, path })
}

async fn list(cluster: &Cluster, scope: &Scope, bucket: &str, prefix: &str) -> Result<Vec<String>, SqlError> {
    let mut keys = Vec::new();
    let mut input = json!({"Bucket": bucket, "Prefix": prefix});
    loop {
        let page = cluster.cloud.call(scope, "s3", "ListObjectsV2", input.clone()).await.map_err(refused)?;
        let found = page.get("Contents").and_then(Value::as_array).into_iter().flatten();
        keys.extend(found.filter_map(|object| object.get("Key")?.as_str().map(str::to_owned)));
        match page.get("NextContinuationToken").and_then(Value::as_str) {
            Some(token) => input["ContinuationToken"] = token.into(),
            None => return Ok(keys),
        }
    }
}

async fn put(cluster: &Cluster, scope: &Scope, bucket: &str, key: &str, file: PathBuf) -> Result<(), SqlError> {
    let call = Call {
        service: "s3",
        operation: "PutObject".into(),
        input: json!({"Bucket": bucket, "Key": key}),
        body: Bytes::new(),
        file: Some(file.clone()),
        scope: scope.clone(),
        request_id: cluster.cloud.ids.uuid(),
        trace: None,
        source: None,
        client: Client::default(),
    };
    let put = cluster.cloud.dispatch(call).await;
    if put.is_err() {
        let _ = std::fs::remove_file(&file);
    }
    put.map(|_| ()).map_err(refused)
}

/// Puts a header line before what the engine wrote.
async fn prepend(path: &Path, header: &[u8]) -> io::Result<()> {
    let whole = with_header(path);
    let mut to = tokio::fs::File::create(&whole).await?;
    to.write_all(header).await?;
    let mut from = tokio::fs::File::open(path).await?;
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            break;
        }
        to.write_all(&chunk[..read]).await?;
    }
    to.flush().await?;
    tokio::fs::rename(&whole, path).await
}

/// Where a file is put together with its header.
fn with_header(path: &Path) -> PathBuf {
    path.with_extension("csv")
}

/// Adds the files to Aurora's own table of what was loaded.
async fn record(cluster: &Cluster, files: &[Object], load: &LoadFromS3) {
    for file in files {
        let text = |text: &str| String::from_utf8_lossy(&literal(text.as_bytes())).into_owned();
        let bytes = std::fs::metadata(&file.path).map_or(0, |found| found.len());
        let statement = format!(
            "INSERT INTO mysql.aurora_s3_load_history (load_prefix, file_name, version_number, bytes_loaded) VALUES ({}, {}, {}, {bytes})",
            text(&format!("s3://{}/{}", load.from.bucket, load.from.key)),
            text(&file.key),
            text(file.version.as_deref().unwrap_or_default()),
        );
        if let Err(reason) = cluster.administer(&statement).await {
            warn!(%reason, "the load history could not be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_several_files_are_added_up() {
        let mut sum = Counts::default();
        let done = |affected, info: &str| Done { affected, warnings: 1, info: info.into(), status: 2 };
        sum.add(&done(3, "Records: 4  Deleted: 0  Skipped: 1  Warnings: 1"));
        sum.add(&done(2, "Records: 2  Deleted: 0  Skipped: 0  Warnings: 1"));
        let all = sum.done(Done::default());
        assert_eq!(all.affected, 5);
        assert_eq!(all.info, "Records: 6  Deleted: 0  Skipped: 1  Warnings: 2");
    }

    #[test]
    fn an_account_is_quoted_whatever_its_name() {
        assert_eq!(account("it's@%"), "'it\\'s'@'%'");
        assert_eq!(account("a@b@localhost"), "'a@b'@'localhost'");
    }
}
