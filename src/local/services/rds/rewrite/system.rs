//! The engine's own schemas. On RDS the master user reads them and cannot change them, by a partial revoke that MariaDB does not
//! have; here what would change one by name is refused.

use super::{SqlError, Token};

const OWN: [&[u8]; 2] = [b"mysql", b"performance_schema"];
/// Statements that change what they name first.
const CHANGES: &[&str] =
    &["CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD"];
/// What such a statement only reads comes after one of these.
const READS: &[&str] = &["SELECT", "SET", "VALUES", "VALUE", "WHERE", "USING", "AS", "LIKE", "JOIN", "ON", "BEGIN"];

/// Refuses a statement that would change one of the engine's own schemas.
pub(super) fn keep(statement: &[Token<'_>]) -> Result<(), SqlError> {
    let Some((first, rest)) = statement.split_first().filter(|(first, _)| first.is_any(CHANGES)) else { return Ok(()) };
    let written = rest.split(|token| token.is_any(READS) || token.is_mark(b'(')).next().unwrap_or_default();
    let of_schema =
        first.is_any(&["ALTER", "DROP"]) && rest.first().is_some_and(|what| what.is_any(&["DATABASE", "SCHEMA"]));
    for (at, token) in written.iter().enumerate() {
        let qualifies = written.get(at + 1).is_some_and(|next| next.is_mark(b'.'));
        let name = token.value();
        if (of_schema || qualifies) && OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            let name = String::from_utf8_lossy(&name).to_lowercase();
            return Err(SqlError::new(
                1044,
                "42000",
                format!("Access denied to database '{name}': it is the engine's own"),
            ));
        }
    }
    Ok(())
}
