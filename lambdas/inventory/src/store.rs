//! What is kept: `ec2`, `package` and `ec2_package`, in one transaction per new instance.

use std::time::Duration;

use aws_sdk_rdsdata::types::{Field, SqlParameter};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::data_api::{DataApi, Fault, Session, text};
use crate::handler::{Inventory, Saved, Stored, Unavailable, log};
use crate::request::{NewInstance, Package};
use crate::xray::Trace;

/// Packages of one parameter set. A set is one statement on the engine, and its packages travel as one JSON document.
const BATCH: usize = 200;
/// Packages that are read in one call: with the longest names, every character escaped, half of the answer's limit of 1 MiB.
const PAGE: usize = 500;
/// How long a database that does not answer is waited for. One that resumes is waited for until the invocation ends.
const PATIENCE: Duration = Duration::from_secs(8);

const ADD_INSTANCE: &str = "INSERT INTO ec2 (aws_instance_id, aws_region, aws_account, creation_date_utc, stored_by) \
                            VALUES (:id, :region, :account, UTC_TIMESTAMP(), :stored_by)";
/// IGNORE leaves a known package alone with a shared lock, where an update would hold up everybody who uses it. The
/// foreign keys of `ec2_package` make sure that nothing else is ignored.
const ADD_PACKAGES: &str = "INSERT IGNORE INTO package (package_name, package_version) \
                            SELECT package_name, package_version FROM JSON_TABLE(:packages, '$[*]' COLUMNS (\
                            package_name VARCHAR(100) PATH '$.package_name' ERROR ON ERROR, \
                            package_version VARCHAR(50) PATH '$.package_version' ERROR ON ERROR)) AS given";
const ADD_RELATIONS: &str = "INSERT INTO ec2_package (aws_instance_id, package_name, package_version) \
                             SELECT :id, package_name, package_version FROM JSON_TABLE(:packages, '$[*]' COLUMNS (\
                             package_name VARCHAR(100) PATH '$.package_name' ERROR ON ERROR, \
                             package_version VARCHAR(50) PATH '$.package_version' ERROR ON ERROR)) AS given";
const STORED_BY: &str = "SELECT stored_by FROM ec2 WHERE aws_instance_id = :id";
const FIND: &str = "SELECT e.aws_region, e.aws_account, e.creation_date_utc, p.package_name, p.package_version \
                    FROM ec2 AS e LEFT JOIN ec2_package AS p ON p.aws_instance_id = e.aws_instance_id \
                    AND (p.package_name, p.package_version) > (:name, :version) \
                    WHERE e.aws_instance_id = :id ORDER BY p.package_name, p.package_version LIMIT 500";

/// The inventory for one invocation.
pub struct Store<'a> {
    pub api: &'a DataApi,
    pub trace: Trace<'a>,
    /// The gateway's request, which a stored row names.
    pub request: &'a str,
    /// When the answer must be ready.
    pub until: Instant,
}

impl Inventory for Store<'_> {
    /// Stores all or nothing. Sent again from the beginning when the database was away or others were in the way; a row
    /// that a lost commit of this request has left is known by `stored_by` and counts as stored.
    async fn save(&self, instance: &NewInstance) -> Result<Saved, Unavailable> {
        let mut waiting = Waiting::new(self.until);
        let mut perhaps = false;
        loop {
            match self.attempt(instance, &mut perhaps).await {
                Ok(()) => return Ok(Saved::New),
                Err(Fault::Duplicate) if !perhaps => return Ok(Saved::Known),
                Err(Fault::Duplicate) => match self.is_ours(&instance.id).await {
                    Ok(true) => return Ok(Saved::New),
                    Ok(false) => return Ok(Saved::Known),
                    Err(fault) => waiting.after(fault, perhaps).await?,
                },
                Err(fault) => waiting.after(fault, perhaps).await?,
            }
        }
    }

    async fn find(&self, id: &str) -> Result<Option<Stored>, Unavailable> {
        let mut waiting = Waiting::new(self.until);
        loop {
            match self.read(id).await {
                Ok(found) => return Ok(found),
                Err(fault) => waiting.after(fault, false).await?,
            }
        }
    }
}

impl Store<'_> {
    fn session(&self) -> Session<'_> {
        Session { api: self.api, trace: &self.trace, until: self.until }
    }

    /// One transaction. `perhaps` is set when it was sent to be committed and nobody knows whether it was.
    async fn attempt(&self, instance: &NewInstance, perhaps: &mut bool) -> Result<(), Fault> {
        let session = self.session();
        let row = vec![
            text("id", &instance.id),
            text("region", &instance.region),
            text("account", &instance.account),
            text("stored_by", self.request),
        ];
        if instance.packages.is_empty() {
            // A statement by itself is a transaction; its lost answer is a lost commit.
            let done = session.execute(None, ADD_INSTANCE, row).await;
            *perhaps |= matches!(done, Err(Fault::Away(_)));
            return done.map(drop);
        }
        let transaction = session.begin().await?;
        if let Err(fault) = fill(&session, &transaction, instance, row).await {
            session.rollback(&transaction).await;
            return Err(fault);
        }
        let done = session.commit(&transaction).await;
        if done.is_err() {
            *perhaps = true;
            // A commit that never arrived has left its locks; one that did has left nothing to roll back.
            session.rollback(&transaction).await;
        }
        done
    }

    /// The row of this id was stored by this request.
    async fn is_ours(&self, id: &str) -> Result<bool, Fault> {
        let rows = self.session().execute(None, STORED_BY, vec![text("id", id)]).await?;
        Ok(rows.first().and_then(|row| string(row, 0)).is_some_and(|request| request == self.request))
    }

    /// An instance and its packages, page by page. Nothing changes an instance that is stored, so pages fit together.
    async fn read(&self, id: &str) -> Result<Option<Stored>, Fault> {
        let session = self.session();
        let mut found: Option<Stored> = None;
        loop {
            let after = found.as_ref().and_then(|stored| stored.packages.last());
            let (name, version) = after.map_or(("", ""), |package| (&*package.package_name, &*package.package_version));
            let values = vec![text("id", id), text("name", name), text("version", version)];
            let rows = session.execute(None, FIND, values).await?;
            let Some(first) = rows.first() else { return Ok(found) };
            let stored = match &mut found {
                Some(stored) => stored,
                None => found.insert(instance(first)?),
            };
            stored.packages.extend(
                rows.iter().filter_map(|row| {
                    Some(Package { package_name: string(row, 3)?, package_version: string(row, 4)? })
                }),
            );
            if rows.len() < PAGE {
                return Ok(found);
            }
        }
    }
}

/// The statements of a transaction: the instance first, so that a known id costs no locks on packages.
async fn fill(
    session: &Session<'_>,
    transaction: &str,
    instance: &NewInstance,
    row: Vec<SqlParameter>,
) -> Result<(), Fault> {
    session.execute(Some(transaction), ADD_INSTANCE, row).await?;
    let batches = batches(&instance.packages);
    session.batch(transaction, ADD_PACKAGES, batches.iter().map(|batch| vec![batch.clone()]).collect()).await?;
    let id = text("id", &instance.id);
    session.batch(transaction, ADD_RELATIONS, batches.into_iter().map(|batch| vec![id.clone(), batch]).collect()).await
}

/// The packages as JSON documents, one for each parameter set. In one order for everybody: requests that share packages wait
/// for each other, and not in a circle.
fn batches(packages: &[Package]) -> Vec<SqlParameter> {
    let mut packages: Vec<&Package> = packages.iter().collect();
    packages.sort_unstable();
    packages.chunks(BATCH).map(|batch| text("packages", &json!(batch).to_string())).collect()
}

fn instance(row: &[Field]) -> Result<Stored, Fault> {
    match (string(row, 0), string(row, 1), string(row, 2)) {
        (Some(aws_region), Some(aws_account), Some(created)) => {
            Ok(Stored { aws_region, aws_account, creation_date_utc: date(&created), packages: Vec::new() })
        }
        _ => Err(Fault::Broken("a row of `ec2` is not as this function knows it".into())),
    }
}

fn string(row: &[Field], at: usize) -> Option<String> {
    row.get(at)?.as_string_value().ok().cloned()
}

/// A DATETIME in the guide's form, `2019-03-06 02:45:32.0`: the fraction is always there.
fn date(text: &str) -> String {
    if text.contains('.') { text.to_owned() } else { format!("{text}.0") }
}

/// Waiting for a database that is away or asleep, within limits.
struct Waiting {
    until: Instant,
    away_since: Option<Instant>,
    said: bool,
    pause: Duration,
}

impl Waiting {
    fn new(until: Instant) -> Self {
        Waiting { until, away_since: None, said: false, pause: Duration::from_millis(20) }
    }

    /// Waits a while, or gives up with what the client is told. `perhaps`: the request may have been stored.
    async fn after(&mut self, fault: Fault, perhaps: bool) -> Result<(), Unavailable> {
        let now = Instant::now();
        let until = match &fault {
            Fault::Broken(_) => now,
            Fault::Away(_) => self.until.min(*self.away_since.get_or_insert(now) + PATIENCE),
            Fault::Resuming | Fault::Throttled(_) | Fault::Contended(_) | Fault::Duplicate => self.until,
        };
        self.pause = match &fault {
            // A resume takes some 15 s; asking twice a second finds its end soon enough.
            Fault::Resuming => Duration::from_millis(500),
            _ => (self.pause * 2).min(Duration::from_secs(1)),
        };
        // Those who met each other do not meet again at the same time.
        let pause = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        if now + pause >= until {
            log(&format!("database: given up: {fault}"));
            return Err(Unavailable { resuming: fault == Fault::Resuming, perhaps_stored: perhaps });
        }
        if fault == Fault::Resuming && !self.said {
            self.said = true;
            log(&format!("database: resuming after a pause; waiting for {} s at most", (until - now).as_secs()));
        }
        sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
