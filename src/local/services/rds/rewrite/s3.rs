//! `LOAD DATA FROM S3` and `SELECT … INTO OUTFILE S3`, taken apart.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Integrating.LoadFromS3.html>
//! <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Integrating.SaveIntoS3.html>

use super::{Kind, SqlError, Token, literal, unsupported};

/// What the URI of a `LOAD DATA FROM S3` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    File,
    Prefix,
    Manifest,
}

/// `s3://bucket/key` or `s3-region://bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) region: Option<String>,
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl Location {
    /// # Errors
    /// It is not such a URI.
    pub(crate) fn parse(uri: &[u8]) -> Result<Self, SqlError> {
        let bad = || {
            SqlError::new(
                63_985,
                "HY000",
                format!("S3 API returned error: Invalid URI: {}", String::from_utf8_lossy(uri)),
            )
        };
        let text = std::str::from_utf8(uri).map_err(|_| bad())?;
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let region = match scheme.to_ascii_lowercase().strip_prefix("s3") {
            Some("") => None,
            Some(region) => {
                Some(region.strip_prefix('-').filter(|region| !region.is_empty()).ok_or_else(bad)?.to_owned())
            }
            None => return Err(bad()),
        };
        let (bucket, key) = rest.split_once('/').ok_or_else(bad)?;
        if bucket.is_empty() || key.is_empty() {
            return Err(bad());
        }
        Ok(Location { region, bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

/// A `LOAD DATA FROM S3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadFromS3 {
    pub(crate) source: Source,
    pub(crate) from: Location,
    /// `LOAD DATA` with its modifiers.
    head: Vec<u8>,
    /// What follows the URI.
    tail: Vec<u8>,
    /// The same without `IGNORE n LINES`.
    tail_of_others: Vec<u8>,
}

impl LoadFromS3 {
    /// The engine's statement for one file. With PREFIX, lines are ignored in the first file only.
    pub(crate) fn statement(&self, path: &str, first: bool) -> Vec<u8> {
        let tail = if first || self.source != Source::Prefix { &self.tail } else { &self.tail_of_others };
        [&self.head, &b" INFILE "[..], &literal(path.as_bytes()), b" ", tail].concat()
    }
}

/// Finds a `LOAD DATA FROM S3`.
pub(super) fn load(sql: &[u8], statement: &[Token<'_>]) -> Result<Option<LoadFromS3>, SqlError> {
    let [load, what, rest @ ..] = statement else { return Ok(None) };
    if !load.is("LOAD") || !what.is_any(&["DATA", "XML"]) {
        return Ok(None);
    }
    let modifiers = rest.iter().take_while(|token| token.is_any(&["LOW_PRIORITY", "CONCURRENT"])).count();
    let head_end = statement[1 + modifiers].end();
    let [from, s3, rest @ ..] = &rest[modifiers..] else { return Ok(None) };
    if !from.is("FROM") || !s3.is("S3") {
        return Ok(None);
    }
    if what.is("XML") {
        return Err(unsupported("LOAD XML FROM S3"));
    }
    let (source, rest) = match rest {
        [word, rest @ ..] if word.is("FILE") => (Source::File, rest),
        [word, rest @ ..] if word.is("PREFIX") => (Source::Prefix, rest),
        [word, rest @ ..] if word.is("MANIFEST") => (Source::Manifest, rest),
        rest => (Source::File, rest),
    };
    let [uri, rest @ ..] = rest else { return Err(syntax(sql, sql.len())) };
    if uri.kind != Kind::Text {
        return Err(syntax(sql, uri.start));
    }
    let end = statement.last().map_or(sql.len(), Token::end);
    let tail = sql[uri.end()..end].trim_ascii_start().to_vec();
    let offset = end - tail.len();
    let header = rest.windows(3).find(|window| {
        window[0].is("IGNORE") && window[1].text.iter().all(u8::is_ascii_digit) && window[2].is_any(&["LINES", "ROWS"])
    });
    let mut tail_of_others = tail.clone();
    if let Some([ignore, _, lines]) = header {
        tail_of_others.drain(ignore.start - offset..lines.end() - offset);
    }
    let head = sql[load.start..head_end].to_vec();
    Ok(Some(LoadFromS3 { source, from: Location::parse(&uri.value())?, head, tail, tail_of_others }))
}

/// A `SELECT … INTO OUTFILE S3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SelectIntoS3 {
    pub(crate) to: Location,
    pub(crate) header: bool,
    pub(crate) manifest: bool,
    pub(crate) overwrite: bool,
    before: Vec<u8>,
    after: Vec<u8>,
    options: Vec<u8>,
    /// Between two names, around a name, and after the last, in a header line.
    pub(crate) separator: Vec<u8>,
    pub(crate) enclosure: Vec<u8>,
    pub(crate) line_end: Vec<u8>,
}

impl SelectIntoS3 {
    /// The engine's statement that writes the rows to `path`.
    pub(crate) fn statement(&self, path: &str) -> Vec<u8> {
        [&self.before, &b" INTO OUTFILE "[..], &literal(path.as_bytes()), b" ", &self.options, b" ", &self.after]
            .concat()
    }

    /// The query alone, to ask for the names of its columns.
    pub(crate) fn query(&self) -> Vec<u8> {
        [&self.before, &b" "[..], &self.after].concat()
    }
}

/// Finds a `SELECT … INTO OUTFILE S3`.
pub(super) fn select(sql: &[u8], statement: &[Token<'_>]) -> Result<Option<SelectIntoS3>, SqlError> {
    let found =
        statement.windows(3).position(|window| window[0].is("INTO") && window[1].is("OUTFILE") && window[2].is("S3"));
    let Some(into) = found else { return Ok(None) };
    let starts =
        statement.first().is_some_and(|first| first.is_any(&["SELECT", "WITH", "TABLE"]) || first.is_mark(b'('));
    if !starts {
        return Err(unsupported("INTO OUTFILE S3 inside another statement"));
    }
    let mut clause = Clause { sql, rest: &statement[into + 3..] };
    let uri = clause.text()?;
    let to = Location::parse(&uri.value())?;
    let mut select = SelectIntoS3 {
        to,
        header: false,
        manifest: false,
        overwrite: false,
        before: sql[statement[0].start..statement[into].start].trim_ascii_end().to_vec(),
        after: Vec::new(),
        options: Vec::new(),
        separator: b"\t".to_vec(),
        enclosure: Vec::new(),
        line_end: b"\n".to_vec(),
    };
    let mut fields = Vec::new();
    let mut lines = Vec::new();
    let mut csv = false;
    loop {
        if clause.word(&["CHARACTER"]) {
            let set = clause.next()?;
            let name = clause.next()?;
            if !set.is("SET") {
                return Err(clause.syntax());
            }
            select.options.extend_from_slice(&[b"CHARACTER SET ", name.text, b" "].concat());
        } else if clause.word(&["FORMAT"]) {
            csv = match clause.next()? {
                format if format.is("CSV") => true,
                format if format.is("TEXT") => false,
                _ => return Err(clause.syntax()),
            };
            select.header = clause.word(&["HEADER"]);
        } else if clause.word(&["FIELDS", "COLUMNS"]) {
            clause.fields(&mut select, &mut fields)?;
        } else if clause.word(&["LINES"]) {
            clause.lines(&mut select, &mut lines)?;
        } else if clause.word(&["MANIFEST"]) {
            select.manifest = clause.on_or_off()?;
        } else if clause.word(&["OVERWRITE"]) {
            select.overwrite = clause.on_or_off()?;
        } else {
            break;
        }
    }
    if csv && fields.is_empty() {
        fields = b"TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ".to_vec();
        (select.separator, select.enclosure) = (b",".to_vec(), b"\"".to_vec());
    }
    for (word, part) in [(&b"FIELDS "[..], fields), (b"LINES ", lines)] {
        if !part.is_empty() {
            select.options.extend_from_slice(&[word, &part].concat());
        }
    }
    if let (Some(first), Some(last)) = (clause.rest.first(), clause.rest.last()) {
        select.after = sql[first.start..last.end()].to_vec();
    }
    if statement.iter().any(|token| token.is("LOAD_FILE")) {
        return Err(unsupported("LOAD_FILE in a statement with S3"));
    }
    Ok(Some(select))
}

/// The options after the URI, read from their front.
struct Clause<'a, 't> {
    sql: &'a [u8],
    rest: &'t [Token<'a>],
}

impl<'a> Clause<'a, '_> {
    fn word(&mut self, words: &[&str]) -> bool {
        match self.rest {
            [first, rest @ ..] if first.is_any(words) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn next(&mut self) -> Result<Token<'a>, SqlError> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| syntax(self.sql, self.sql.len()))?;
        self.rest = rest;
        Ok(*first)
    }

    fn text(&mut self) -> Result<Token<'a>, SqlError> {
        let token = self.next()?;
        if token.kind == Kind::Text { Ok(token) } else { Err(syntax(self.sql, token.start)) }
    }

    /// `BY 'text'`.
    fn by(&mut self) -> Result<Token<'a>, SqlError> {
        if !self.word(&["BY"]) {
            return Err(self.syntax());
        }
        self.text()
    }

    fn on_or_off(&mut self) -> Result<bool, SqlError> {
        match self.next()? {
            token if token.is("ON") => Ok(true),
            token if token.is("OFF") => Ok(false),
            token => Err(syntax(self.sql, token.start)),
        }
    }

    fn fields(&mut self, select: &mut SelectIntoS3, out: &mut Vec<u8>) -> Result<(), SqlError> {
        loop {
            if self.word(&["TERMINATED"]) {
                let text = self.by()?;
                select.separator = text.value();
                out.extend_from_slice(&[b"TERMINATED BY ", text.text, b" "].concat());
            } else if self.word(&["OPTIONALLY"]) {
                out.extend_from_slice(b"OPTIONALLY ");
            } else if self.word(&["ENCLOSED"]) {
                let text = self.by()?;
                select.enclosure = text.value();
                out.extend_from_slice(&[b"ENCLOSED BY ", text.text, b" "].concat());
            } else if self.word(&["ESCAPED"]) {
                let text = self.by()?;
                out.extend_from_slice(&[b"ESCAPED BY ", text.text, b" "].concat());
            } else if out.is_empty() {
                return Err(self.syntax());
            } else {
                return Ok(());
            }
        }
    }

    fn lines(&mut self, select: &mut SelectIntoS3, out: &mut Vec<u8>) -> Result<(), SqlError> {
        loop {
            if self.word(&["TERMINATED"]) {
                let text = self.by()?;
                select.line_end = text.value();
                out.extend_from_slice(&[b"TERMINATED BY ", text.text, b" "].concat());
            } else if self.word(&["STARTING"]) {
                let text = self.by()?;
                out.extend_from_slice(&[b"STARTING BY ", text.text, b" "].concat());
            } else if out.is_empty() {
                return Err(self.syntax());
            } else {
                return Ok(());
            }
        }
    }

    fn syntax(&self) -> SqlError {
        syntax(self.sql, self.rest.first().map_or(self.sql.len(), |token| token.start))
    }
}

/// `ER_PARSE_ERROR`, in the engine's words.
fn syntax(sql: &[u8], at: usize) -> SqlError {
    let near: String = String::from_utf8_lossy(sql.get(at..).unwrap_or_default()).chars().take(80).collect();
    let line = 1 + sql[..at.min(sql.len())].iter().filter(|byte| **byte == b'\n').count();
    SqlError::new(
        1064,
        "42000",
        format!(
            "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near '{near}' at line {line}"
        ),
    )
}

#[cfg(test)]
mod tests {

    use super::super::tokens::tokens;
    use super::*;

    fn loaded(sql: &str) -> LoadFromS3 {
        load(sql.as_bytes(), &tokens(sql.as_bytes())).unwrap().unwrap()
    }

    fn selected(sql: &str) -> SelectIntoS3 {
        select(sql.as_bytes(), &tokens(sql.as_bytes())).unwrap().unwrap()
    }

    fn string(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_load_becomes_one_statement_per_file_with_every_clause_kept() {
        let load = loaded(
            "load data low_priority from s3 's3://b/a/k.csv' REPLACE INTO TABLE t FIELDS TERMINATED BY ',' (a, @b) SET c = @b",
        );
        assert_eq!((load.source, load.from.bucket.as_str(), load.from.key.as_str()), (Source::File, "b", "a/k.csv"));
        assert_eq!(
            string(load.statement("/x/it's", true)),
            "load data low_priority INFILE '/x/it\\'s' REPLACE INTO TABLE t FIELDS TERMINATED BY ',' (a, @b) SET c = @b"
        );
    }

    #[test]
    fn with_a_prefix_lines_are_ignored_in_the_first_file_only() {
        let load = loaded("LOAD DATA FROM S3 PREFIX 's3-eu-west-1://b/p' IGNORE INTO TABLE t IGNORE 1 LINES (a)");
        assert_eq!((load.source, load.from.region.as_deref()), (Source::Prefix, Some("eu-west-1")));
        assert_eq!(string(load.statement("/1", true)), "LOAD DATA INFILE '/1' IGNORE INTO TABLE t IGNORE 1 LINES (a)");
        assert_eq!(string(load.statement("/2", false)), "LOAD DATA INFILE '/2' IGNORE INTO TABLE t  (a)");
        let load =
            loaded("LOAD DATA FROM S3 PREFIX 's3://b/p/' INTO TABLE t FIELDS TERMINATED BY ',' IGNORE 1 LINES (a, b)");
        let others = "LOAD DATA INFILE '/2' INTO TABLE t FIELDS TERMINATED BY ','  (a, b)";
        assert_eq!(string(load.statement("/2", false)), others);
    }

    #[test]
    fn what_is_not_a_load_from_s3_is_left_and_what_is_wrong_is_refused() {
        for sql in ["LOAD DATA INFILE 's3' INTO TABLE t", "LOAD INDEX INTO CACHE s3", "SELECT S3"] {
            assert_eq!(load(sql.as_bytes(), &tokens(sql.as_bytes())).unwrap(), None, "{sql}");
        }
        for sql in [
            "LOAD DATA FROM S3",
            "LOAD DATA FROM S3 k INTO TABLE t",
            "LOAD DATA FROM S3 'http://b/k' INTO TABLE t",
            "LOAD XML FROM S3 's3://b/k' INTO TABLE t",
            "LOAD DATA FROM S3 's3://b' INTO TABLE t",
        ] {
            assert!(load(sql.as_bytes(), &tokens(sql.as_bytes())).is_err(), "{sql}");
        }
    }

    #[test]
    fn a_select_keeps_what_stands_before_and_after_its_clause() {
        let select = selected(
            "SELECT a, b INTO OUTFILE S3 's3://b/p' FIELDS TERMINATED BY ',' LINES TERMINATED BY '\\n' MANIFEST ON OVERWRITE ON FROM t WHERE a > 1",
        );
        assert!(select.manifest && select.overwrite && !select.header);
        assert_eq!(
            string(select.statement("/f")),
            "SELECT a, b INTO OUTFILE '/f' FIELDS TERMINATED BY ',' LINES TERMINATED BY '\\n'  FROM t WHERE a > 1"
        );
        assert_eq!(string(select.query()), "SELECT a, b FROM t WHERE a > 1");
        let select = selected("SELECT * FROM t INTO OUTFILE S3 's3://b/p' FORMAT CSV HEADER");
        assert!(select.header);
        assert_eq!(
            string(select.statement("/f")).trim_end(),
            "SELECT * FROM t INTO OUTFILE '/f' FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"'"
        );
        assert_eq!(string(select.line_end), "\n");
    }

    #[test]
    fn a_wrong_clause_is_a_syntax_error_at_its_place() {
        for sql in [
            "SELECT 1 INTO OUTFILE S3 's3://b/p' FORMAT XML",
            "SELECT 1 INTO OUTFILE S3 's3://b/p' MANIFEST MAYBE",
            "SELECT 1 INTO OUTFILE S3 's3://b/p' FIELDS FROM t",
            "SELECT 1 INTO OUTFILE S3",
        ] {
            let error = select(sql.as_bytes(), &tokens(sql.as_bytes())).unwrap_err();
            assert_eq!(error.code, 1064, "{sql}");
        }
        let sql = "INSERT INTO t SELECT 1 INTO OUTFILE S3 's3://b/p'";
        assert_eq!(select(sql.as_bytes(), &tokens(sql.as_bytes())).unwrap_err().code, 1235);
    }
}
