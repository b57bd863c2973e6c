//! A file of SQL into its statements, each with its place.

use std::fmt;

use sha2::{Digest, Sha256};

/// One statement, without its closing semicolon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub text: String,
    /// Where it begins, from 1.
    pub line: usize,
}

impl Statement {
    /// Changes when the statement does; comments and the amount of white space are nothing.
    pub fn checksum(&self) -> String {
        let mut normal = String::with_capacity(self.text.len());
        let mut blank = false;
        for piece in Pieces::of(&self.text) {
            match piece.kind {
                Kind::Comment => blank = true,
                Kind::Code => {
                    for letter in piece.text.chars() {
                        if letter.is_whitespace() {
                            blank = true;
                        } else {
                            if std::mem::take(&mut blank) && !normal.is_empty() {
                                normal.push(' ');
                            }
                            normal.push(letter);
                        }
                    }
                }
                Kind::Quoted => {
                    if std::mem::take(&mut blank) {
                        normal.push(' ');
                    }
                    normal.push_str(piece.text);
                }
            }
        }
        hex::encode(Sha256::digest(normal.as_bytes()))
    }

    /// The first words in upper case, for telling kinds of statements apart.
    pub fn head(&self, words: usize) -> String {
        self.words(words).0.to_uppercase()
    }

    /// The first words as they were typed, for messages; not more, since a password may come behind them.
    pub fn beginning(&self, words: usize) -> String {
        match self.words(words) {
            (text, true) => format!("{text} …"),
            (text, false) => text,
        }
    }

    /// The first words, and whether there are more.
    fn words(&self, count: usize) -> (String, bool) {
        let code = Pieces::of(&self.text).filter(|piece| piece.kind != Kind::Comment).map(|piece| piece.text);
        let code: String = code.collect();
        let mut words = code.split_whitespace();
        let first = words.by_ref().take(count).collect::<Vec<_>>().join(" ");
        (first, words.next().is_some())
    }

    /// MySQL commits by itself before and after such a statement (MySQL manual: "Statements That Cause an Implicit Commit").
    pub fn commits_by_itself(&self) -> bool {
        let head = self.head(1);
        const WORDS: &[&str] =
            &["ALTER", "ANALYZE", "CREATE", "DROP", "FLUSH", "GRANT", "OPTIMIZE", "RENAME", "REVOKE", "TRUNCATE"];
        WORDS.contains(&head.as_str())
    }
}

/// A quote or comment that does not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitError {
    /// `string`, `identifier` or `comment`.
    pub what: &'static str,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} that begins at line {}, column {} does not end", self.what, self.line, self.column)
    }
}

impl std::error::Error for SplitError {}

/// Splits `text` at semicolons that are not in strings, quoted identifiers or comments. Statements that are only comments
/// are left out.
///
/// # Errors
/// Something quoted or a comment does not end.
pub fn split(text: &str) -> Result<Vec<Statement>, SplitError> {
    let mut statements = Vec::new();
    let (mut start, mut begun) = (0, None);
    let mut end_statement = |begun: &mut Option<usize>, start: usize, end: usize| {
        if let Some(first) = begun.take() {
            let line = text[..first].matches('\n').count() + 1;
            statements.push(Statement { text: text[start.max(first.min(end))..end].trim().to_owned(), line });
        }
    };
    for piece in Pieces::of(text) {
        if let Some(what) = piece.open {
            let before = &text[..piece.at];
            let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
            return Err(SplitError { what, line: before.matches('\n').count() + 1, column });
        }
        match piece.kind {
            Kind::Comment => {}
            Kind::Quoted => {
                begun.get_or_insert(piece.at);
            }
            Kind::Code => {
                for (offset, letter) in piece.text.char_indices() {
                    let at = piece.at + offset;
                    if letter == ';' {
                        end_statement(&mut begun, start, at);
                        start = at + 1;
                    } else if !letter.is_whitespace() {
                        begun.get_or_insert(at);
                    }
                }
            }
        }
    }
    end_statement(&mut begun, start, text.len());
    Ok(statements)
}

/// The names of a statement's parameters (`:name`, outside of strings, identifiers and comments), each once, in their order.
pub fn placeholders(statement: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for piece in Pieces::of(statement).filter(|piece| piece.kind == Kind::Code) {
        for (colon, _) in piece.text.match_indices(':') {
            let rest = &piece.text[colon + 1..];
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let name = &rest[..length];
            if !name.is_empty() && !piece.text[..colon].ends_with(':') && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    Quoted,
    Comment,
}

/// A run of one kind.
struct Piece<'a> {
    kind: Kind,
    text: &'a str,
    at: usize,
    /// It should have ended and did not; what it is.
    open: Option<&'static str>,
}

/// Cuts SQL into code, quoted text and comments. `/*! … */` and `/*+ … */` are code: the server reads them.
struct Pieces<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Pieces<'a> {
    fn of(text: &'a str) -> Self {
        Pieces { text, at: 0 }
    }

    /// What begins at the start of `rest`, and how long it is. `None`: code.
    fn special(rest: &str) -> Option<(Kind, usize, Option<&'static str>)> {
        let until =
            |kind, what, end: Option<usize>| Some((kind, end.unwrap_or(rest.len()), end.is_none().then_some(what)));
        let line = || Some((Kind::Comment, rest.find('\n').map_or(rest.len(), |end| end + 1), None));
        match *rest.as_bytes().first()? {
            b'\'' => until(Kind::Quoted, "string", quoted(rest, b'\'', true)),
            b'"' => until(Kind::Quoted, "string", quoted(rest, b'"', true)),
            b'`' => until(Kind::Quoted, "identifier", quoted(rest, b'`', false)),
            b'#' => line(),
            b'-' if rest == "--"
                || rest.strip_prefix("--").is_some_and(|after| after.starts_with(char::is_whitespace)) =>
            {
                line()
            }
            b'/' if rest.starts_with("/*!") || rest.starts_with("/*+") => {
                until(Kind::Quoted, "comment", rest.find("*/").map(|end| end + 2))
            }
            b'/' if rest.starts_with("/*") => until(Kind::Comment, "comment", rest.find("*/").map(|end| end + 2)),
            _ => None,
        }
    }
}

/// The length of the quoted text at the start of `rest`; a doubled quote and, in strings, a backslash do not end it.
fn quoted(rest: &str, quote: u8, backslash: bool) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] == b'\\' && backslash {
            at += 2;
        } else if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return Some(at + 1);
            }
            at += 2;
        } else {
            at += 1;
        }
    }
    None
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let (at, rest) = (self.at, &self.text[self.at..]);
        if rest.is_empty() {
            return None;
        }
        let (kind, length, open) = Pieces::special(rest).unwrap_or_else(|| {
            let code = rest.char_indices().skip(1).find(|(offset, letter)| {
                matches!(letter, '\'' | '"' | '`' | '#' | '-' | '/') && Pieces::special(&rest[*offset..]).is_some()
            });
            (Kind::Code, code.map_or(rest.len(), |(offset, _)| offset), None)
        });
        self.at += length;
        Some(Piece { kind, text: &rest[..length], at, open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        split(sql).unwrap().into_iter().map(|statement| statement.text).collect()
    }

    #[test]
    fn semicolons_in_strings_identifiers_and_comments_do_not_split() {
        let cases: &[(&str, &[&str])] = &[
            ("SELECT 1; SELECT 2", &["SELECT 1", "SELECT 2"]),
            ("SELECT ';', \"a;\\\"b\", 'it''s;', `a;``b`;", &["SELECT ';', \"a;\\\"b\", 'it''s;', `a;``b`"]),
            ("-- only; this\n/* and; this */ # and; this", &[]),
            ("SELECT 1 -- a; b\n, 2;", &["SELECT 1 -- a; b\n, 2"]),
            ("SELECT 5--3; SELECT 2", &["SELECT 5--3", "SELECT 2"]),
            ("/*!50000 SELECT 1 */;", &["/*!50000 SELECT 1 */"]),
            (";;  ;", &[]),
            ("SELECT 'é;ü'; SELECT 'ß'", &["SELECT 'é;ü'", "SELECT 'ß'"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(texts(sql), *expected, "{sql}");
        }
    }

    #[test]
    fn a_statement_knows_its_line_and_not_the_comment_before_it() {
        let statements = split("-- head\n\nSELECT 1;\n\n-- two\nSELECT 2;").unwrap();
        assert_eq!(statements.iter().map(|statement| statement.line).collect::<Vec<_>>(), [3, 6]);
        assert_eq!(statements[1].text, "SELECT 2");
    }

    #[test]
    fn what_does_not_end_is_named_with_its_place() {
        let cases = [("SELECT 'a", "string", 1, 8), ("x;\n  /* y", "comment", 2, 3), ("`a", "identifier", 1, 1)];
        for (sql, what, line, column) in cases {
            assert_eq!(split(sql), Err(SplitError { what, line, column }), "{sql}");
        }
    }

    #[test]
    fn parameters_are_named_outside_of_strings_and_comments() {
        let text = "SELECT ':a', `:b`, x::c, :d_1 -- :e\n + :f, :d_1 := 1 /* :g */ WHERE t < '12:00:00' AND i=:h";
        assert_eq!(placeholders(text), ["d_1", "f", "h"]);
    }

    #[test]
    fn the_checksum_goes_by_meaning() {
        let sum = |text: &str| split(text).unwrap().remove(0).checksum();
        assert_eq!(sum("SELECT  1\n, 2 -- why\n;"), sum("SELECT 1 , 2"));
        assert_ne!(sum("SELECT 'a  b'"), sum("SELECT 'a b'"));
        assert_ne!(sum("SELECT 1"), sum("SELECT 2"));
    }

    #[test]
    fn statements_that_commit_by_themselves_are_told_apart() {
        let commits = |text: &str| split(text).unwrap().remove(0).commits_by_itself();
        assert!(commits("/* a */ create table t (a int)") && commits("GRANT SELECT ON t TO u"));
        assert!(!commits("INSERT INTO t VALUES (1)") && !commits("LOAD DATA FROM S3 's3://b/k' INTO TABLE t"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z;'\"`#*/ \\\\\n-]{0,60}") {
            let _ = split(&text).map(|statements| statements.iter().map(Statement::checksum).count());
        }
    }
}
