//! What the two functions answer, whatever holds the inventory.

use serde::Serialize;
use serde_json::{Value, json};

use crate::request::{NewInstance, Package, Refusal, instance_id, new_instance};
use crate::settings::Route;

/// Seconds after which a client does well to try again.
const RETRY_AFTER: &str = "5";

/// Where instances are kept.
pub trait Inventory {
    /// Stores an instance with its packages: all of it, or nothing.
    async fn save(&self, instance: &NewInstance) -> Result<Saved, Unavailable>;

    async fn find(&self, id: &str) -> Result<Option<Stored>, Unavailable>;
}

#[derive(Debug, PartialEq)]
pub enum Saved {
    New,
    /// The id was there before; nothing has changed.
    Known,
}

/// An instance as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub aws_region: String,
    pub aws_account: String,
    pub creation_date_utc: String,
    pub packages: Vec<Package>,
}

/// The database did not answer in time.
#[derive(Debug, PartialEq)]
pub struct Unavailable {
    pub resuming: bool,
    /// The answer to the commit was lost.
    pub perhaps_stored: bool,
}

#[derive(Serialize)]
struct NewRecord<'a> {
    aws_account: &'a str,
    aws_region: &'a str,
    packages: &'a [Package],
}

#[derive(Serialize)]
struct Record<'a> {
    aws_instance_id: &'a str,
    aws_region: &'a str,
    aws_account: &'a str,
    creation_date_utc: &'a str,
    packages: &'a [Package],
}

/// The answer to a proxy event.
pub async fn handle(route: Route, event: &Value, inventory: &impl Inventory) -> Value {
    let answered = match route {
        Route::Add => add(event, inventory).await,
        Route::Find => find(event, inventory).await,
    };
    match answered {
        Ok(body) => answer(200, &body),
        Err(Refused::Request(Refusal(text))) => answer(400, &json!({"error_message": text})),
        Err(Refused::Database(unavailable)) => {
            let mut answer = answer(503, &json!({"error_message": told(&unavailable)}));
            answer["headers"]["Retry-After"] = RETRY_AFTER.into();
            answer
        }
    }
}

enum Refused {
    Request(Refusal),
    Database(Unavailable),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Refused::Request(refusal)
    }
}

impl From<Unavailable> for Refused {
    fn from(unavailable: Unavailable) -> Self {
        Refused::Database(unavailable)
    }
}

async fn add(event: &Value, inventory: &impl Inventory) -> Result<Value, Refused> {
    let instance = new_instance(event)?;
    match inventory.save(&instance).await? {
        Saved::New => {
            let NewInstance { region, account, packages, .. } = &instance;
            Ok(json!({"new_record": NewRecord { aws_account: account, aws_region: region, packages }}))
        }
        Saved::Known => {
            let id = &instance.id;
            let text =
                format!("Duplicate entry '{id}' for key 'PRIMARY': this aws_instance_id is in the inventory already");
            Err(Refusal(text).into())
        }
    }
}

async fn find(event: &Value, inventory: &impl Inventory) -> Result<Value, Refused> {
    let id = instance_id(event)?;
    Ok(match inventory.find(&id).await? {
        None => json!({"record": {}, "record_found": false}),
        Some(Stored { aws_region, aws_account, creation_date_utc, packages }) => {
            let record = Record {
                aws_instance_id: &id,
                aws_region: &aws_region,
                aws_account: &aws_account,
                creation_date_utc: &creation_date_utc,
                packages: &packages,
            };
            json!({"record": record, "record_found": true})
        }
    })
}

fn told(unavailable: &Unavailable) -> String {
    let why = if unavailable.resuming { "is resuming after a pause" } else { "is not available" };
    let stored = match unavailable.perhaps_stored {
        true => "the request may have been stored: GET tells, and sending it again does no harm",
        false => "nothing was stored",
    };
    format!("the database {why}; {stored}; try again in {RETRY_AFTER} s")
}

/// The form that a proxy integration asks for.
fn answer(status: u16, body: &Value) -> Value {
    json!({
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": body.to_string(),
    })
}

/// One line in the function's log.
pub fn log(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests;
