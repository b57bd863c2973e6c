//! What `POST /` does: read through the cache, or write through it.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cache::Cache;
use crate::database::{Database, DatabaseError};
use crate::request::{Action, Hero, NewHero, Refusal, Request, parse};

pub struct Stores {
    pub database: Database,
    pub cache: Option<Cache>,
}

/// The whole result that the client receives, by `until`: the integration is not a proxy.
pub async fn handle(event: &Value, stores: &mut Stores, until: Instant) -> Value {
    let Request { use_cache, action } = match parse(event) {
        Ok(request) => request,
        Err(Refusal(text)) => return answer(400, text),
    };
    let writes = matches!(action, Action::Write(_));
    let done = match action {
        Action::Read(ids) => read(&ids, use_cache, stores, until).await.map(|heroes| json!(heroes)),
        Action::Write(heroes) => write(heroes, use_cache, stores, until).await.map(|()| json!("write success")),
    };
    match done {
        Ok(body) => answer(200, body),
        Err(error) => {
            log(&format!("database: {error}"));
            answer(
                503,
                match writes && error.may_have_stored() {
                    true => "the database did not answer; the heroes may be stored or not",
                    false => "the database is not available; try again",
                },
            )
        }
    }
}

fn answer(status: u16, body: impl Into<Value>) -> Value {
    json!({"statusCode": status, "body": body.into()})
}

/// One round trip to the cache for all ids, one query for all that it does not have; those are stored.
async fn read(ids: &[u64], use_cache: bool, stores: &mut Stores, until: Instant) -> Result<Vec<Hero>, DatabaseError> {
    let mut wanted = ids.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found: HashMap<u64, Hero> = HashMap::with_capacity(wanted.len());
    let cache = stores.cache.as_mut().filter(|_| use_cache);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(cache) = cache {
        found.extend(cache.get(&wanted).await);
        let missing: Vec<u64> = wanted.iter().copied().filter(|id| !found.contains_key(id)).collect();
        if !missing.is_empty() {
            let rows = stores.database.read(&missing, until).await?;
            cache.put(&rows).await;
            found.extend(rows.into_iter().map(|hero| (hero.id, hero)));
        }
    } else {
        found.extend(stores.database.read(&wanted, until).await?.into_iter().map(|hero| (hero.id, hero)));
    }
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

/// All rows in one statement; with the cache on they are in the cache before the answer.
async fn write(
    heroes: Vec<NewHero>,
    use_cache: bool,
    stores: &mut Stores,
    until: Instant,
) -> Result<(), DatabaseError> {
    let rows = stores.database.insert(heroes, until).await?;
    if let Some(cache) = stores.cache.as_mut().filter(|_| use_cache) {
        cache.put(&rows).await;
    }
    Ok(())
}

/// One line in the function's log.
pub fn log(line: &str) {
    eprintln!("{line}");
}
