//! The other handler: runs one `LOAD DATA FROM S3` from inside the VPC, for the case that the Data API refuses the
//! statement (`docs/design/`). Nothing but labctl calls it; it runs no other kind of statement.

use lambda_runtime::Error;
use serde_json::{Value, json};

use crate::database::Database;

/// Event: `{"statement": "LOAD DATA FROM S3 …"}`; answer: `{"rows_affected": n}`.
pub async fn load(event: &Value, database: &mut Database) -> Result<Value, Error> {
    let statement = event.get("statement").and_then(Value::as_str).ok_or("statement is missing")?;
    let words: Vec<String> = statement.split_whitespace().take(4).map(str::to_ascii_uppercase).collect();
    if words != ["LOAD", "DATA", "FROM", "S3"] {
        return Err("statement must be LOAD DATA FROM S3".into());
    }
    Ok(json!({"rows_affected": database.run(statement).await?}))
}
