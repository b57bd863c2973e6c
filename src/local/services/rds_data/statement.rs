//! A statement as the Data API reads it: one and no more, names for parameters, and what is told of it from its words. Pure.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use super::faults::DataFault;
use super::pool::Left;
use crate::services::rds::rewrite::tokens::{Kind, Token, tokens};

/// The names of the parameters that hold bytes.
pub(super) type Blobs<'n> = HashSet<&'n str>;

/// What stands for a parameter. The driver sends bytes as text, and only so are they bytes to the engine.
const PLACE: &str = "?";
const PLACE_OF_BYTES: &str = "CAST(? AS BINARY)";
/// The longest that the service model allows.
const LONGEST: usize = 65_536;

/// A statement with `?` for each parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sql: String,
    /// The parameters' names, in the order of their `?`.
    pub(super) names: Vec<String>,
    /// What it may leave in its session, or find there.
    pub(super) left: Left,
    pub(super) keys: Keys,
    /// An INSERT of one row, whose values stand here and end it: more rows can be written behind them.
    pub(super) row: Option<Range<usize>>,
}

/// How many keys an INSERT generates, as far as its words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// One for each row.
    Rows,
    One,
}

impl Statement {
    /// # Errors
    /// It is empty, too long, or several.
    pub(super) fn read(sql: &str, blobs: &Blobs<'_>) -> Result<Self, DataFault> {
        if sql.len() > LONGEST && sql.chars().count() > LONGEST {
            return Err(DataFault::Invalid(format!("The SQL statement is longer than {LONGEST} characters.")));
        }
        let all = tokens(sql.as_bytes());
        let is_program = is_program(&all);
        let ends = |token: &Token<'_>| token.is_mark(b';') && !is_program;
        let mut statements = all.split(ends).filter(|statement| !statement.is_empty());
        let Some(words) = statements.next() else {
            return Err(DataFault::Invalid("The SQL statement is empty.".into()));
        };
        if statements.next().is_some() {
            return Err(DataFault::Invalid("Multistatements aren't supported.".into()));
        }
        if words.iter().any(|word| word.is_mark(b'?')) {
            return Err(DataFault::Invalid("Parameters have names: :name, not ?.".into()));
        }
        // A program takes none: a colon in it is behind a label.
        let places = Places::of(sql, if is_program { &[] } else { words }, blobs);
        // What `/*! … */` holds is code, and would be cut in two.
        let row = single_row(words).filter(|_| !sql.contains("/*!") && !sql.contains("/*M!"));
        let row = row.map(|row| places.moved(row));
        let inserts = words[0].is("INSERT") && !on_duplicate(words);
        Ok(Statement {
            left: if leaves_nothing(words) { Left::Nothing } else { Left::Something },
            keys: if inserts { Keys::Rows } else { Keys::One },
            sql: places.sql,
            names: places.names,
            row,
        })
    }

    /// The same statement for `count` rows; only of one that has a [`Statement::row`].
    pub(super) fn with_rows(&self, row: &Range<usize>, count: usize) -> String {
        let values = &self.sql[row.clone()];
        let mut sql = String::with_capacity(row.start + (values.len() + 1) * count);
        sql.push_str(&self.sql[..row.end]);
        for _ in 1..count {
            sql.push(',');
            sql.push_str(values);
        }
        sql
    }
}

/// A statement while its named parameters become `?`.
struct Places {
    sql: String,
    names: Vec<String>,
    /// Where the text behind each name begins: as it was, and as it is.
    behind: Vec<(usize, usize)>,
}

impl Places {
    fn of(sql: &str, words: &[Token<'_>], blobs: &Blobs<'_>) -> Self {
        let mut places = Places { sql: String::with_capacity(sql.len()), names: Vec::new(), behind: Vec::new() };
        let mut at = 0;
        for (index, pair) in words.windows(2).enumerate() {
            let [colon, word] = pair else { continue };
            // `a::b` and `@x := 1` are none.
            let double = index
                .checked_sub(1)
                .is_some_and(|before| words[before].is_mark(b':') && words[before].end() == colon.start);
            if !colon.is_mark(b':') || word.kind != Kind::Word || colon.end() != word.start || double {
                continue;
            }
            places.sql.push_str(&sql[at..colon.start]);
            let name = &sql[word.start..word.end()];
            places.sql.push_str(if blobs.contains(name) { PLACE_OF_BYTES } else { PLACE });
            places.names.push(name.to_owned());
            at = word.end();
            places.behind.push((at, places.sql.len()));
        }
        places.sql.push_str(&sql[at..]);
        places
    }

    /// A range of the statement as it was, as one of what it is.
    fn moved(&self, range: Range<usize>) -> Range<usize> {
        let moved = |at: usize| {
            let behind = self.behind.iter().rev().find(|(before, _)| *before <= at);
            behind.map_or(at, |(before, now)| now + (at - before))
        };
        moved(range.start)..moved(range.end)
    }
}

/// `CREATE PROCEDURE … BEGIN …; … END`: one statement, whatever semicolons are in its body. One without `END` has none.
fn is_program(all: &[Token<'_>]) -> bool {
    let end = all.iter().rposition(|token| !token.is_mark(b';')).map_or(0, |last| last + 1);
    let words = &all[..end];
    let kinds = ["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"];
    let made = words.first().is_some_and(|first| first.is("CREATE"))
        && words.iter().take_while(|word| !word.is_any(&["BEGIN", "TABLE"])).any(|word| word.is_any(&kinds));
    // `END`, `END IF`, `END label`.
    made && words.iter().rev().take(2).any(|word| word.is("END"))
}

fn on_duplicate(words: &[Token<'_>]) -> bool {
    words.windows(3).any(|three| three[0].is("ON") && three[1].is("DUPLICATE") && three[2].is("KEY"))
}

/// Where the values of `INSERT INTO t (…) VALUES (…)` stand, if that is all there is of it.
fn single_row(words: &[Token<'_>]) -> Option<Range<usize>> {
    if !words[0].is("INSERT") || !words.get(1)?.is("INTO") || !leaves_nothing(words) {
        return None;
    }
    let mut depth = 0usize;
    let mut values = None;
    for (index, word) in words.iter().enumerate() {
        match word {
            word if word.is_mark(b'(') => depth += 1,
            word if word.is_mark(b')') => {
                depth = depth.checked_sub(1)?;
                // The end of the row has to be that of the statement.
                if let (Some(start), 0) = (values, depth) {
                    return (index + 1 == words.len()).then(|| start..word.end());
                }
            }
            word if depth == 0 && word.is_any(&["VALUES", "VALUE"]) => {
                values = Some(words.get(index + 1).filter(|next| next.is_mark(b'('))?.start);
            }
            _ => {}
        }
    }
    None
}

/// Whether the statement neither leaves anything in its session that another could see, nor sees what another has left: it reads
/// or writes rows, has no variables, and calls only functions that are known to do neither. Of everything else the session is
/// new before and made new behind it.
fn leaves_nothing(words: &[Token<'_>]) -> bool {
    let first = &words[0];
    let begins = ["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"];
    if !first.is_any(&begins) || words.iter().any(|word| word.is_mark(b'@')) {
        return false;
    }
    let table = target(words);
    words.windows(2).enumerate().all(|(index, pair)| {
        let calls = pair[1].is_mark(b'(') && matches!(pair[0].kind, Kind::Word | Kind::Name);
        !calls || index == table || pair[0].kind == Kind::Word && is_known(pair[0].text)
    })
}

/// The last word of the table's name in `INSERT INTO a.b (`: a parenthesis behind it calls nothing.
fn target(words: &[Token<'_>]) -> usize {
    let into = words.iter().take(5).position(|word| word.is("INTO"));
    let Some(into) = into.filter(|_| words[0].is_any(&["INSERT", "REPLACE"])) else { return usize::MAX };
    let qualified = words.get(into + 2).is_some_and(|dot| dot.is_mark(b'.'));
    into + if qualified { 3 } else { 1 }
}

/// Words before a parenthesis that are harmless: of the language, and functions of their arguments alone.
const KNOWN: &str = "\
    ABS ADDDATE ALL AND ANY AS ASCII AVG BETWEEN BINARY BY CASE CAST CEIL CEILING CHAR CHAR_LENGTH COALESCE COLUMNS CONCAT \
    CONCAT_WS CONVERT COUNT CURDATE CURRENT_DATE CURRENT_TIMESTAMP DATE DATEDIFF DATETIME DATE_ADD DATE_FORMAT DATE_SUB \
    DAY DECIMAL DENSE_RANK DISTINCT ELSE EXCEPT EXISTS EXTRACT FIELD FIRST_VALUE FLOOR FORMAT FROM FROM_UNIXTIME GREATEST \
    GROUP_CONCAT HAVING HEX HOUR IF IFNULL IN INTERSECT INTERVAL JOIN JSON_ARRAY JSON_ARRAYAGG JSON_EXTRACT JSON_LENGTH \
    JSON_OBJECT JSON_OBJECTAGG JSON_TABLE JSON_UNQUOTE JSON_VALID JSON_VALUE LAG LAST_VALUE LEAD LEAST LEFT LENGTH LIKE LIMIT LOCATE \
    LOWER LPAD LTRIM MAX MICROSECOND MIN MINUTE MOD MONTH NOT NOW NTILE NULLIF ON OR OVER PARTITION POW POWER RANK REPEAT \
    REPLACE REVERSE RIGHT ROUND ROW ROW_NUMBER RPAD RTRIM SECOND SELECT SET SIGN SIGNED SQRT STDDEV STR_TO_DATE SUBSTR \
    SUBSTRING SUM THEN TIME TIMESTAMP TIMESTAMPADD TIMESTAMPDIFF TIME_FORMAT TRIM TRUNCATE UNHEX UNION UNIX_TIMESTAMP \
    UNSIGNED UPPER USING UTC_TIMESTAMP VALUE VALUES VARCHAR WEEK WHEN WHERE WITH YEAR
";

fn is_known(word: &[u8]) -> bool {
    static WORDS: LazyLock<HashSet<&[u8]>> = LazyLock::new(|| KNOWN.split_whitespace().map(str::as_bytes).collect());
    WORDS.contains(word.to_ascii_uppercase().as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Statement {
        Statement::read(sql, &Blobs::new()).unwrap()
    }

    #[test]
    fn names_become_placeholders_outside_strings_and_comments_only() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("SELECT :a, ':b', -- :c\n :a /* :d */ FROM t", "SELECT ?, ':b', -- :c\n ? /* :d */ FROM t", &["a", "a"]),
            ("SET @x := 1", "SET @x := 1", &[]),
            ("SELECT '12:30' WHERE x=:x_1;", "SELECT '12:30' WHERE x=?;", &["x_1"]),
            ("SELECT a::b", "SELECT a::b", &[]),
        ];
        for (sql, expected, names) in cases {
            let read = read(sql);
            assert_eq!((read.sql.as_str(), read.names), (*expected, names.iter().map(|name| (*name).into()).collect()));
        }
    }

    #[test]
    fn one_statement_is_taken_and_no_more() {
        let refused = |sql: &str| Statement::read(sql, &Blobs::new()).unwrap_err().to_string();
        assert_eq!(refused("SELECT 1; SELECT 2"), "Multistatements aren't supported.");
        assert_eq!(refused(" ; -- nothing"), "The SQL statement is empty.");
        assert!(refused(&"x".repeat(65_537)).contains("65536"));
        for sql in ["SELECT 1;", "SELECT ';'", "SELECT 1 -- ; SELECT 2"] {
            read(sql);
        }
        read(&format!("SELECT '{}'", "é".repeat(65_527)));
        assert!(refused("SELECT ? + :a").contains(":name"));
        read("SELECT '?', `?` -- ?");
    }

    #[test]
    fn a_stored_program_is_one_statement_without_parameters() {
        let programs = [
            "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
            "CREATE DEFINER=`a`@`%` PROCEDURE p(IN a INT)\nfirst:BEGIN SET @a:=1; LEAVE first; END first ; ",
            "create or replace function f() returns int begin declare a int; return a; end;",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW IF NEW.n > 1 THEN SET NEW.n = 1; END IF",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM a; DELETE FROM b; END",
        ];
        for sql in programs {
            let read = read(sql);
            assert_eq!((read.sql.as_str(), read.names.len(), read.left), (sql, 0, Left::Something), "{sql}");
        }
        let several = [
            "CREATE PROCEDURE p() SELECT 1; SELECT 2",
            "CREATE PROCEDURE p() BEGIN SELECT 1; END; DROP TABLE a",
            "CREATE TABLE event (a INT); SELECT 1 AS end",
            "SELECT 1; BEGIN; END",
        ];
        for sql in several {
            assert_eq!(
                Statement::read(sql, &Blobs::new()).unwrap_err().to_string(),
                "Multistatements aren't supported.",
                "{sql}"
            );
        }
    }

    #[test]
    fn only_what_cannot_touch_the_session_shares_one() {
        let shared = [
            "SELECT COUNT(*), MAX(`n`) FROM t WHERE a IN (1, 2) AND (b = :b)",
            "INSERT INTO lab.t (a, b) VALUES (:a, NOW(6))",
            "insert ignore into `t` (a) values (1)",
            "UPDATE t SET a = COALESCE(:a, a) WHERE id = 1;",
            "WITH x AS (SELECT 1 AS n) SELECT n FROM x",
            "REPLACE INTO t (a) SELECT (1)",
        ];
        for sql in shared {
            assert_eq!(read(sql).left, Left::Nothing, "{sql}");
        }
        let alone = [
            "SELECT LAST_INSERT_ID()",
            "SELECT @x",
            "SELECT @x := 1",
            "SET SESSION sql_mode = ''",
            "SELECT own_function(1)",
            "SELECT `max`(1)",
            "SELECT GET_LOCK('a', 1)",
            "SHOW WARNINGS",
            "USE other",
            "CREATE TEMPORARY TABLE t (a INT)",
            "START TRANSACTION",
            "CALL p()",
            "INSERT INTO t (a) VALUES (LAST_INSERT_ID())",
            "(SELECT 1)",
        ];
        for sql in alone {
            assert_eq!(read(sql).left, Left::Something, "{sql}");
        }
    }

    #[test]
    fn the_row_of_an_insert_is_written_as_often_as_there_are_sets() {
        let two = |sql: &str| {
            let read = read(sql);
            read.row.as_ref().map(|row| read.with_rows(row, 2))
        };
        let cases = [
            ("INSERT INTO t (a, b) VALUES (:a, :bb)", Some("INSERT INTO t (a, b) VALUES (?, ?),(?, ?)")),
            (
                "INSERT INTO t VALUES (:a, COALESCE(:b, 1), ')') ; ",
                Some("INSERT INTO t VALUES (?, COALESCE(?, 1), ')'),(?, COALESCE(?, 1), ')')"),
            ),
            ("INSERT INTO t (a) VALUES (:a) ON DUPLICATE KEY UPDATE a = 1", None),
            ("INSERT INTO t (a) VALUES (:a), (:b)", None),
            ("INSERT IGNORE INTO t (a) VALUES (:a)", None),
            ("INSERT INTO t (a) SELECT :a", None),
            ("INSERT INTO t (a) VALUES (:a) RETURNING id", None),
            ("INSERT INTO t (a) VALUES (:a) -- end", Some("INSERT INTO t (a) VALUES (?),(?)")),
            ("UPDATE t SET a = :a", None),
        ];
        for (sql, expected) in cases {
            assert_eq!(two(sql).as_deref(), expected, "{sql}");
        }
    }

    #[test]
    fn a_parameter_that_holds_bytes_is_bytes_to_the_engine() {
        let read = Statement::read("INSERT INTO t (a, b) VALUES (:a, :bb), ':bb'", &Blobs::from(["bb"])).unwrap();
        assert_eq!(read.sql, "INSERT INTO t (a, b) VALUES (?, CAST(? AS BINARY)), ':bb'");
        let row = Statement::read("INSERT INTO t VALUES (:bb, :a)", &Blobs::from(["bb"])).unwrap();
        let two = "INSERT INTO t VALUES (CAST(? AS BINARY), ?),(CAST(? AS BINARY), ?)";
        assert_eq!(row.with_rows(row.row.as_ref().unwrap(), 2), two);
    }

    #[test]
    fn keys_are_as_many_as_rows_only_where_each_row_is_new() {
        assert_eq!(read("INSERT INTO t (a) VALUES (1), (2)").keys, Keys::Rows);
        assert_eq!(read("INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 2").keys, Keys::One);
        assert_eq!(read("REPLACE INTO t (a) VALUES (1)").keys, Keys::One);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(sql in ".{0,200}") {
            if let Ok(statement) = Statement::read(&sql, &Blobs::new())
                && let Some(row) = &statement.row
            {
                statement.with_rows(row, 3);
            }
        }

        #[test]
        fn any_insert_is_read(values in "[:a-z'(), ?`;-]{0,40}") {
            let sql = format!("INSERT INTO t (a) VALUES ({values})");
            if let Ok(statement) = Statement::read(&sql, &Blobs::new())
                && let Some(row) = &statement.row
            {
                assert!(statement.with_rows(row, 2).starts_with(&statement.sql[..row.end]));
            }
        }
    }
}
