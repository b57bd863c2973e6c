//! A statement as the Data API reads it: one and no more, names for parameters, and what is told of it from its words. Pure.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use super::faults::DataFault;
use super::pool::Left;
use crate::services::rds::rewrite::tokens::{Kind, Token, tokens};

/// The parameters that are cast, by their names.
pub(super) type Casts<'n> = HashMap<&'n str, Cast>;

/// What the engine is told that a parameter is, where the driver sends text and it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cast {
    Bytes,
    /// With so many digits before and behind the point.
    Decimal {
        before: usize,
        behind: usize,
    },
}

impl Cast {
    /// What stands for the parameter.
    fn place(cast: Option<&Cast>) -> String {
        match cast {
            None => "?".to_owned(),
            Some(Cast::Bytes) => "CAST(? AS BINARY)".to_owned(),
            Some(Cast::Decimal { before, behind }) => format!("CAST(? AS DECIMAL({},{behind}))", before + behind),
        }
    }

    /// Whether two values of a name can be cast in one way and neither is changed by that: behind the point a DECIMAL shows all its
    /// digits, before it only those that there are.
    pub(super) fn is_same(one: Option<Cast>, other: Option<Cast>) -> bool {
        match (one, other) {
            (Some(Cast::Decimal { behind: one, .. }), Some(Cast::Decimal { behind: other, .. })) => one == other,
            (one, other) => one == other,
        }
    }

    /// One cast for two values of a name. What is bytes once is bytes always: as text it would be refused, or stored as another.
    pub(super) fn of_both(one: Option<Cast>, other: Option<Cast>) -> Option<Cast> {
        match (one, other) {
            (Some(Cast::Bytes), _) | (_, Some(Cast::Bytes)) => Some(Cast::Bytes),
            (Some(Cast::Decimal { before, behind }), Some(Cast::Decimal { before: more, behind: finer })) => {
                Some(Cast::Decimal { before: before.max(more), behind: behind.max(finer) })
            }
            (None, _) | (_, None) => None,
        }
    }
}

/// `ER_NOT_ALLOWED_COMMAND`
const NOT_ALLOWED: u16 = 1148;
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
    /// A semicolon is inside of it, in a text or a stored program say.
    pub(super) has_semicolon: bool,
    pub(super) row: Option<Row>,
}

/// An INSERT of one row, behind which more can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Where the values stand; they end the statement.
    values: Range<usize>,
    /// The table's name as it is written.
    pub(super) table: String,
    /// The columns that it names, in small letters; none: all.
    pub(super) columns: Vec<String>,
}

impl Statement {
    /// # Errors
    /// It is empty, too long, or several.
    pub(super) fn read(sql: &str, casts: &Casts<'_>) -> Result<Self, DataFault> {
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
        if words[0].is("LOAD") && words.iter().take(4).any(|word| word.is("LOCAL")) {
            // The engine would ask its client for the file, and wait for it.
            let message =
                "LOAD … LOCAL: the Data API has no local files; LOAD DATA FROM S3 reads those of a bucket".into();
            return Err(DataFault::Database { code: NOT_ALLOWED, message });
        }
        if words.iter().any(|word| word.is_mark(b'?')) {
            return Err(DataFault::Invalid("Parameters have names: :name, not ?.".into()));
        }
        // A program takes none: a colon in it is behind a label.
        let places = Places::of(sql, if is_program { &[] } else { words }, casts);
        // What `/*! … */` holds is code, and would be cut in two.
        let row = single_row(words).filter(|_| !sql.contains("/*!") && !sql.contains("/*M!"));
        let row = row.map(|row| Row { values: places.moved(row.values), ..row });
        let end = words.last().map_or(0, Token::end);
        Ok(Statement {
            left: left(words),
            has_semicolon: sql[..end].contains(';'),
            sql: places.sql,
            names: places.names,
            row,
        })
    }

    /// The same statement for `count` rows; only of one that has a [`Statement::row`].
    pub(super) fn with_rows(&self, row: &Row, count: usize) -> String {
        let values = &self.sql[row.values.clone()];
        let mut sql = String::with_capacity(row.values.start + (values.len() + 1) * count);
        sql.push_str(&self.sql[..row.values.end]);
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
    fn of(sql: &str, words: &[Token<'_>], casts: &Casts<'_>) -> Self {
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
            places.sql.push_str(&Cast::place(casts.get(name)));
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

/// What `INSERT INTO t (…) VALUES (…)` is made of, if that is all there is of it.
fn single_row(words: &[Token<'_>]) -> Option<Row> {
    if !words[0].is("INSERT") || !words.get(1)?.is("INTO") || !leaves_nothing(words) {
        return None;
    }
    let name = |word: &Token<'_>| matches!(word.kind, Kind::Word | Kind::Name).then(|| text(word.text));
    let table = words.get(2..=target(words))?;
    let mut row = Row { values: 0..0, table: table.iter().map(|word| text(word.text)).collect(), columns: Vec::new() };
    let mut rest = words.get(target(words) + 1..)?.iter();
    let mut next = rest.next()?;
    if next.is_mark(b'(') {
        loop {
            let column = rest.next()?;
            name(column)?;
            row.columns.push(String::from_utf8_lossy(&column.value()).to_lowercase());
            next = rest.next()?;
            if next.is_mark(b')') {
                next = rest.next()?;
                break;
            }
            if !next.is_mark(b',') {
                return None;
            }
        }
    }
    if !next.is_any(&["VALUES", "VALUE"]) {
        return None;
    }
    let first = rest.next().filter(|word| word.is_mark(b'('))?;
    let mut depth = 1usize;
    while depth > 0 {
        next = rest.next()?;
        // A query in a row may read what the row before has stored.
        if next.is_any(&["SELECT", "TABLE"]) {
            return None;
        }
        depth = if next.is_mark(b'(') { depth + 1 } else { depth - usize::from(next.is_mark(b')')) };
    }
    row.values = first.start..next.end();
    // The end of the row has to be that of the statement.
    rest.next().is_none().then_some(row)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A statement as the driver's parser of `:name` leaves it alone: behind a colon that stands before a word there is a space, as in
/// `label: BEGIN`.
pub(super) fn without_names(sql: &str) -> String {
    let words = tokens(sql.as_bytes());
    let mut out = String::with_capacity(sql.len() + 8);
    let mut at = 0;
    for pair in words.windows(2) {
        if pair[0].is_mark(b':') && pair[1].kind == Kind::Word && pair[0].end() == pair[1].start {
            out.push_str(&sql[at..pair[1].start]);
            out.push(' ');
            at = pair[1].start;
        }
    }
    out + &sql[at..]
}

/// What a statement may leave. Only those that are known to stay where they are keep their connection.
fn left(words: &[Token<'_>]) -> Left {
    let stays =
        ["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "SHOW", "CREATE", "ALTER", "DROP", "TRUNCATE"];
    let of_a_database = words.get(1).is_some_and(|second| second.is_any(&["DATABASE", "SCHEMA"]));
    match leaves_nothing(words) {
        true => Left::Nothing,
        false if words[0].is_any(&stays) && !of_a_database => Left::Something,
        false => Left::Place,
    }
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
        Statement::read(sql, &Casts::new()).unwrap()
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
        let refused = |sql: &str| Statement::read(sql, &Casts::new()).unwrap_err().to_string();
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
                Statement::read(sql, &Casts::new()).unwrap_err().to_string(),
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
            "SELECT own_function(1)",
            "SELECT `max`(1)",
            "SELECT GET_LOCK('a', 1)",
            "SHOW WARNINGS",
            "CREATE TEMPORARY TABLE t (a INT)",
            "INSERT INTO t (a) VALUES (LAST_INSERT_ID())",
        ];
        for sql in alone {
            assert_eq!(read(sql).left, Left::Something, "{sql}");
        }
        let elsewhere = [
            "SET ROLE NONE",
            "SET SESSION sql_mode = ''",
            "USE other",
            "DROP DATABASE a",
            "START TRANSACTION",
            "CALL p()",
            "(SELECT 1)",
        ];
        for sql in elsewhere {
            assert_eq!(read(sql).left, Left::Place, "{sql}");
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
    fn a_parameter_that_is_no_text_is_none_to_the_engine() {
        let casts = Casts::from([("bb", Cast::Bytes), ("d", Cast::Decimal { before: 3, behind: 2 })]);
        let read = Statement::read("INSERT INTO t (a, b) VALUES (:a, :bb, :d), ':bb'", &casts).unwrap();
        assert_eq!(read.sql, "INSERT INTO t (a, b) VALUES (?, CAST(? AS BINARY), CAST(? AS DECIMAL(5,2))), ':bb'");
        let row = Statement::read("INSERT INTO t VALUES (:bb, :a)", &casts).unwrap();
        let two = "INSERT INTO t VALUES (CAST(? AS BINARY), ?),(CAST(? AS BINARY), ?)";
        assert_eq!(row.with_rows(row.row.as_ref().unwrap(), 2), two);
    }

    #[test]
    fn a_single_row_tells_its_table_and_columns() {
        let row = |sql: &str| read(sql).row.map(|row| (row.table, row.columns.join(" ")));
        let told = |table: &str, columns: &str| Some((table.to_owned(), columns.to_owned()));
        assert_eq!(row("INSERT INTO lab.`my t` (`Id`, b) VALUES (:a, :b)"), told("lab.`my t`", "id b"));
        assert_eq!(row("INSERT INTO t VALUE (1, (2))"), told("t", ""));
        assert_eq!(row("INSERT INTO t () VALUES ()"), None);
        assert_eq!(
            row("INSERT INTO t (n) VALUES ((SELECT COALESCE(MAX(n), 0) + 1 FROM (SELECT n FROM t) AS all_of_it))"),
            None
        );
        assert_eq!(row("INSERT INTO t (a, b) VALUES (1, 2)) "), None);
    }

    #[test]
    fn labels_are_no_names() {
        let program = "CREATE PROCEDURE p() first:begin SET @a:=':b'; end first";
        assert_eq!(without_names(program), "CREATE PROCEDURE p() first: begin SET @a:=':b'; end first");
    }

    #[test]
    fn a_semicolon_inside_is_seen() {
        assert!(read("SELECT ';'").has_semicolon && read("SELECT 1 /* ; */ + 1").has_semicolon);
        assert!(!read("SELECT 1; -- ;").has_semicolon && !read("SELECT 1").has_semicolon);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(sql in ".{0,200}") {
            if let Ok(statement) = Statement::read(&sql, &Casts::new())
                && let Some(row) = &statement.row
            {
                statement.with_rows(row, 3);
            }
        }

        #[test]
        fn any_insert_is_read(values in "[:a-z'(), ?`;-]{0,40}") {
            let sql = format!("INSERT INTO t (a) VALUES ({values})");
            if let Ok(statement) = Statement::read(&sql, &Casts::new())
                && let Some(row) = &statement.row
            {
                assert!(statement.with_rows(row, 2).starts_with(&statement.sql[..row.values.end]));
            }
        }
    }
}
