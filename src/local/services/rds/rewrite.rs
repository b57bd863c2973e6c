//! What Aurora adds to the SQL of its engine, found in a statement and put into words that the local engine knows.
//!
//! Pure: a statement in, what to do with it out. The front door uses it for every statement, those of the Data API too.
//! Almost every statement is left alone, which [`worth_a_look`] finds out without taking it apart.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::frontdoor::SqlError;

mod bridge;
mod s3;
mod system;
pub(crate) mod tokens;
mod users;

pub(crate) use s3::{LoadFromS3, Location, SelectIntoS3, Source};
use tokens::{Kind, Token, tokens};

/// Which engine it is for, and what stands in for IAM's proof of identity.
pub(crate) struct Rules<'a> {
    pub(crate) mariadb: bool,
    /// What stands for `IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'` of a user.
    pub(crate) vouched_for: &'a (dyn Fn(&[u8]) -> String + Sync),
}

/// What to do with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rewritten {
    AsIs,
    Changed(Vec<u8>),
    Load(LoadFromS3),
    Select(SelectIntoS3),
    /// `SET ROLE ALL`, which MariaDB does not have: the front door remembers it.
    AllRoles,
    Refused(SqlError),
}

/// Whether the statement may hold something of ours. False for nearly all.
pub(crate) fn worth_a_look(sql: &[u8], mariadb: bool) -> bool {
    static AURORA: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"(?i-u)\bs3\b|\b(?:mysql|performance_schema)\b|awsauthenticationplugin|mysql_native_password")
    });
    static MARIADB: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i-u)->|\bs3\b|\b(?:mysql|performance_schema)\b|awsauthenticationplugin|_0900_|\brole\b|identified\s+with|(?:index|key)\b[^;(]*\(\s*\(",
        )
    });
    if mariadb { MARIADB.is_match(sql) } else { AURORA.is_match(sql) }
}

fn pattern(text: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "a constant of this file, used by its tests")]
    Regex::new(text).expect("a good pattern")
}

/// Takes a statement apart and says what to do with it.
pub(crate) fn rewrite(sql: &[u8], rules: &Rules<'_>) -> Rewritten {
    if !worth_a_look(sql, rules.mariadb) {
        return Rewritten::AsIs;
    }
    match try_rewrite(sql, rules) {
        Ok(rewritten) => rewritten,
        Err(refused) => Rewritten::Refused(refused),
    }
}

fn try_rewrite(sql: &[u8], rules: &Rules<'_>) -> Result<Rewritten, SqlError> {
    let mut edits = Edits::default();
    let parts = tokens(sql);
    for statement in parts.split(|token| token.is_mark(b';')) {
        system::keep(statement)?;
        users::edit(statement, rules, &mut edits)?;
    }
    if rules.mariadb {
        if bridge::sets_all_roles(&parts) {
            return Ok(Rewritten::AllRoles);
        }
        bridge::edit(sql, &parts, &mut edits)?;
    }
    let changed = edits.apply(sql);
    let text = changed.as_deref().unwrap_or(sql);
    let parts = tokens(text);
    let statements: Vec<&[Token<'_>]> =
        parts.split(|token| token.is_mark(b';')).filter(|statement| !statement.is_empty()).collect();
    for statement in &statements {
        let found = match s3::load(text, statement)? {
            Some(load) => Rewritten::Load(load),
            None => match s3::select(text, statement)? {
                Some(select) => Rewritten::Select(select),
                None => continue,
            },
        };
        if statements.len() > 1 {
            return Err(unsupported("a statement with S3 among several statements in one request"));
        }
        return Ok(found);
    }
    Ok(changed.map_or(Rewritten::AsIs, Rewritten::Changed))
}

/// `ER_NOT_SUPPORTED_YET`, naming what the local cloud does not have.
fn unsupported(what: &str) -> SqlError {
    SqlError::new(1235, "42000", format!("The local cloud doesn't support '{what}'"))
}

/// Changes to a statement, collected in any order.
#[derive(Default)]
struct Edits(Vec<(usize, usize, Vec<u8>)>);

impl Edits {
    fn replace(&mut self, start: usize, end: usize, text: impl Into<Vec<u8>>) {
        self.0.push((start, end, text.into()));
    }

    fn insert(&mut self, at: usize, text: impl Into<Vec<u8>>) {
        self.replace(at, at, text);
    }

    /// The changed statement; `None` if there is nothing to change.
    fn apply(mut self, sql: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_by_key(|(start, ..)| *start);
        let mut out = Vec::with_capacity(sql.len() + 64);
        let mut at = 0;
        for (start, end, text) in self.0 {
            out.extend_from_slice(&sql[at..start.max(at)]);
            out.extend_from_slice(&text);
            at = end.max(at);
        }
        out.extend_from_slice(&sql[at..]);
        Some(out)
    }
}

/// `text` as a string literal.
pub(crate) fn literal(text: &[u8]) -> Vec<u8> {
    let mut out = vec![b'\''];
    for byte in text {
        match byte {
            b'\'' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0 => out.extend_from_slice(b"\\0"),
            byte => out.push(*byte),
        }
    }
    out.push(b'\'');
    out
}

#[cfg(test)]
mod tests {

    use super::*;

    fn rewritten(sql: &str, mariadb: bool) -> Rewritten {
        let vouched_for = |user: &[u8]| format!("IDENTIFIED BY IAM '{}'", String::from_utf8_lossy(user).to_uppercase());
        rewrite(sql.as_bytes(), &Rules { mariadb, vouched_for: &vouched_for })
    }

    fn text(sql: &str, mariadb: bool) -> String {
        match rewritten(sql, mariadb) {
            Rewritten::AsIs => sql.to_owned(),
            Rewritten::Changed(changed) => String::from_utf8(changed).unwrap(),
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn what_is_nobodys_but_the_engines_is_left_alone() {
        for sql in [
            "SELECT 'LOAD DATA FROM S3', `s3`, -- s3 \n 1",
            "SELECT 'a->b', \"x->>'$.a'\", '_0900_' /* role -> */",
            "INSERT INTO t VALUES ('utf8mb4_0900_ai_ci')",
            "SELECT a - -1, b->c FROM t",
            "CREATE TABLE t (id INT, KEY k (id))",
            "LOAD DATA LOCAL INFILE 's3' INTO TABLE t",
            "SELECT role FROM t WHERE role = 'all'",
            "SET ROLE NONE",
        ] {
            assert_eq!(rewritten(sql, true), Rewritten::AsIs, "{sql}");
        }
    }

    #[test]
    fn mariadb_is_given_json_paths_as_functions_and_columns_keep_their_names() {
        let cases = [
            ("SELECT data->'$.a' FROM t", "SELECT JSON_EXTRACT(data,'$.a') AS `data->'$.a'` FROM t"),
            (
                "SELECT id, t.`d`->>\"$.a\" , 1 FROM t",
                "SELECT id, JSON_UNQUOTE(JSON_EXTRACT(t.`d`,\"$.a\")) AS `t.``d``->>\"$.a\"` , 1 FROM t",
            ),
            ("SELECT d->>'$.a' AS a FROM t", "SELECT JSON_UNQUOTE(JSON_EXTRACT(d,'$.a')) AS a FROM t"),
            ("SELECT d -> '$.a' + 1", "SELECT JSON_EXTRACT(d , '$.a') + 1"),
            (
                "SELECT MAX(d->'$.a') FROM t WHERE d->>'$.b' = 1 GROUP BY d->'$.c'",
                "SELECT MAX(JSON_EXTRACT(d,'$.a')) FROM t WHERE JSON_UNQUOTE(JSON_EXTRACT(d,'$.b')) = 1 GROUP BY JSON_EXTRACT(d,'$.c')",
            ),
            (
                "CREATE TABLE t (d JSON, k INT AS (d->>'$.k') STORED)",
                "CREATE TABLE t (d JSON, k INT AS (JSON_UNQUOTE(JSON_EXTRACT(d,'$.k'))) STORED)",
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(text(sql, true), expected);
            assert_eq!(text(sql, false), sql);
        }
    }

    #[test]
    fn mariadb_is_given_its_own_name_of_a_collation() {
        let cases = [
            ("CREATE TABLE t (a TEXT) COLLATE utf8mb4_0900_ai_ci", "uca1400_nopad_ai_ci"),
            ("CREATE TABLE t (a TEXT) COLLATE=utf8mb4_0900_as_cs", "uca1400_nopad_as_cs"),
            ("SET NAMES utf8mb4 COLLATE 'utf8mb4_0900_ai_ci'", "uca1400_nopad_ai_ci"),
            ("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin", "nopad_bin"),
        ];
        for (sql, expected) in cases {
            let text = text(sql, true);
            assert!(text.contains(&format!("utf8mb4_{expected}")), "{text}");
            assert!(!text.contains("0900"), "{text}");
        }
    }

    #[test]
    fn an_iam_user_becomes_one_with_an_internal_password() {
        let aws = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'";
        let cases = [
            (format!("CREATE USER app {aws}"), "CREATE USER app IDENTIFIED BY IAM 'APP'"),
            (
                format!("create user if not exists 'app'@'%' {aws} REQUIRE SSL"),
                "create user if not exists 'app'@'%' IDENTIFIED BY IAM 'APP' REQUIRE SSL",
            ),
            (
                format!(
                    "ALTER USER `a``b`@localhost {}",
                    aws.replace("AWSAuthenticationPlugin", "'AWSAuthenticationPlugin'")
                ),
                "ALTER USER `a``b`@localhost IDENTIFIED BY IAM 'A`B'",
            ),
            (
                format!("CREATE USER a {aws}, b@'%' {aws}"),
                "CREATE USER a IDENTIFIED BY IAM 'A', b@'%' IDENTIFIED BY IAM 'B'",
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(text(&sql, false), expected);
            assert_eq!(text(&sql, true), expected);
        }
        for sql in [
            "CREATE USER app IDENTIFIED WITH AWSAuthenticationPlugin AS 'LDAP'",
            "ALTER USER CURRENT_USER() IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'",
        ] {
            assert!(matches!(rewritten(sql, true), Rewritten::Refused(_)), "{sql}");
        }
    }

    #[test]
    fn mariadb_is_given_mysqls_words_for_passwords_and_roles_in_its_own() {
        // MySQL 9 has no mysql_native_password, which is Aurora's default.
        for mariadb in [true, false] {
            assert_eq!(
                text("CREATE USER u IDENTIFIED WITH mysql_native_password BY 'x'", mariadb),
                "CREATE USER u IDENTIFIED BY 'x'"
            );
        }
        assert_eq!(
            text("ALTER USER u IDENTIFIED WITH 'caching_sha2_password' BY 'x'", true),
            "ALTER USER u IDENTIFIED BY 'x'"
        );
        assert_eq!(text("SET DEFAULT ROLE r TO 'u'@'%'", true), "SET DEFAULT ROLE r FOR 'u'@'%'");
        assert_eq!(rewritten("SET ROLE ALL", true), Rewritten::AllRoles);
        assert_eq!(text("SET ROLE ALL", false), "SET ROLE ALL");
        assert!(matches!(rewritten("SET DEFAULT ROLE ALL TO u", true), Rewritten::Refused(_)));
    }

    #[test]
    fn the_engines_own_schemas_are_read_and_not_changed() {
        for sql in [
            "DROP DATABASE mysql",
            "drop schema if exists `MySQL`",
            "DROP DATABASE performance_schema",
            "SELECT 1; DROP TABLE a, mysql.user",
            "CREATE TABLE mysql.zz(a INT)",
            "ALTER TABLE `mysql` . `user` ADD b INT",
            "TRUNCATE mysql.general_log",
            "UPDATE mysql.global_priv SET priv = '{}'",
            "DELETE FROM mysql.user WHERE user = 'app'",
            "INSERT IGNORE INTO mysql.user SELECT 1",
        ] {
            for mariadb in [true, false] {
                let Rewritten::Refused(error) = rewritten(sql, mariadb) else { panic!("{sql}") };
                assert_eq!(error.code, 1044, "{sql}");
            }
        }
        for sql in [
            "SELECT user FROM mysql.user",
            "DROP DATABASE mysqlx",
            "CREATE TABLE t LIKE mysql.user",
            "CREATE TABLE mysql (a INT)",
            "INSERT INTO t SELECT name FROM mysql.time_zone_name",
            "UPDATE t JOIN mysql.user u ON u.user = t.name SET t.host = u.host",
            "DELETE FROM t WHERE name = 'mysql.user'",
            "CREATE USER mysql",
            "CALL mysql.rds_kill(1)",
            "GRANT SELECT ON mysql.* TO app",
            "SELECT * FROM performance_schema.threads",
        ] {
            assert_eq!(rewritten(sql, true), Rewritten::AsIs, "{sql}");
        }
    }

    #[test]
    fn an_index_on_an_expression_is_refused_by_name_on_mariadb() {
        for sql in [
            "CREATE INDEX i ON t ((a + b))",
            "CREATE TABLE t (a INT, KEY k ( (a * 2) ))",
            "ALTER TABLE t ADD UNIQUE INDEX u ((lower(a)), b)",
        ] {
            let Rewritten::Refused(error) = rewritten(sql, true) else { panic!("{sql}") };
            assert_eq!((error.code, error.message.contains("functional index")), (1235, true));
            assert_eq!(rewritten(sql, false), Rewritten::AsIs);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_statement_makes_it_panic(sql in "(LOAD DATA FROM S3|SELECT|INTO OUTFILE S3|'s3://b/k'|->|->>|`|'|;|\\(|\\)| |a|,|IDENTIFIED WITH AWSAuthenticationPlugin|SET ROLE|KEY|COLLATE utf8mb4_0900_ai_ci|IGNORE 1 LINES|/\\*|FORMAT CSV|HEADER){0,20}") {
            rewritten(&sql, true);
            rewritten(&sql, false);
        }
    }
}
