//! The other handler: runs one `LOAD DATA FROM S3` from inside the VPC, for the case that the Data API refuses the
//! statement (`docs/design/`). Nothing but labctl calls it; it runs no other kind of statement.

use lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::database::Database;

/// Event: `{"statement": "LOAD DATA FROM S3 …"}`; answer: `{"rows_affected": n}`.
pub async fn load(event: &Value, database: &mut Database, until: Instant) -> Result<Value, Diagnostic> {
    let failed =
        |error_type: &str, error_message: String| Diagnostic { error_type: error_type.to_owned(), error_message };
    let bad = |what: &str| failed("BadEvent", what.to_owned());
    let statement = event.get("statement").and_then(Value::as_str).ok_or_else(|| bad("statement is missing"))?;
    let words: Vec<String> = statement.split_whitespace().take(4).map(str::to_ascii_uppercase).collect();
    if words != ["LOAD", "DATA", "FROM", "S3"] {
        return Err(bad("statement must be LOAD DATA FROM S3"));
    }
    let rows = database.run(statement, until).await.map_err(|error| failed("DatabaseError", error.to_string()))?;
    Ok(json!({"rows_affected": rows}))
}
