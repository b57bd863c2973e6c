//! The tokens of a MySQL statement: just enough to tell code from strings, names and comments.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword, plain name or number.
    Word,
    /// A name in backticks.
    Name,
    /// A string in single or double quotes.
    Text,
    /// `->` or `->>`.
    Arrow,
    /// Any other character.
    Mark,
}

/// A token, as a piece of the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) text: &'a [u8],
}

impl<'a> Token<'a> {
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    pub(crate) fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    pub(crate) fn is_mark(&self, mark: u8) -> bool {
        self.kind == Kind::Mark && self.text == [mark]
    }

    /// What a name or string says, without quotes and escapes.
    pub(crate) fn value(&self) -> Vec<u8> {
        let Some(quote) = self.text.first().copied().filter(|_| matches!(self.kind, Kind::Name | Kind::Text)) else {
            return self.text.to_vec();
        };
        let inner = self.text.get(1..self.text.len().saturating_sub(1)).unwrap_or_default();
        let mut out = Vec::with_capacity(inner.len());
        let mut bytes = inner.iter().copied();
        while let Some(byte) = bytes.next() {
            out.push(match byte {
                b'\\' if self.kind == Kind::Text => match bytes.next() {
                    Some(b'n') => b'\n',
                    Some(b't') => b'\t',
                    Some(b'r') => b'\r',
                    Some(b'0') => 0,
                    Some(b'b') => 8,
                    Some(b'Z') => 26,
                    Some(other) => other,
                    None => b'\\',
                },
                byte if byte == quote => bytes.next().unwrap_or(byte),
                byte => byte,
            });
        }
        out
    }
}

/// The tokens of `sql` in order. Comments are left out, except that what `/*! … */` holds is code, as for the engine.
pub(crate) fn tokens(sql: &[u8]) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < sql.len() {
        let rest = &sql[at..];
        let (kind, length) = match rest[0] {
            byte if byte.is_ascii_whitespace() => (None, 1),
            b'#' => (None, line(rest)),
            b'-' if rest.starts_with(b"--") && rest.get(2).is_none_or(|next| *next <= b' ') => (None, line(rest)),
            b'/' if rest.starts_with(b"/*!") || rest.starts_with(b"/*M!") => (None, version(rest)),
            b'/' if rest.starts_with(b"/*") => (None, find(rest, b"*/", 2).map_or(rest.len(), |end| end + 2)),
            b'*' if rest.starts_with(b"*/") => (None, 2),
            b'`' => (Some(Kind::Name), quoted(rest, false)),
            b'\'' | b'"' => (Some(Kind::Text), quoted(rest, true)),
            b'-' if rest.starts_with(b"->>") => (Some(Kind::Arrow), 3),
            b'-' if rest.starts_with(b"->") => (Some(Kind::Arrow), 2),
            byte if in_word(byte) => {
                (Some(Kind::Word), rest.iter().position(|byte| !in_word(*byte)).unwrap_or(rest.len()))
            }
            _ => (Some(Kind::Mark), 1),
        };
        if let Some(kind) = kind {
            found.push(Token { kind, start: at, text: &rest[..length] });
        }
        at += length;
    }
    found
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn line(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1)
}

/// The opening of a comment that the engine runs: `/*!`, `/*!80000`, `/*M!100100`.
fn version(rest: &[u8]) -> usize {
    let opening = if rest.starts_with(b"/*!") { 3 } else { 4 };
    opening + rest[opening..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count()
}

fn find(rest: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    rest.get(from..)?.windows(needle.len()).position(|window| window == needle).map(|at| at + from)
}

/// The length of what starts with a quote, up to its end or that of the statement.
fn quoted(rest: &[u8], escapes: bool) -> usize {
    let quote = rest[0];
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match *byte {
            b'\\' if escapes => at += 2,
            byte if byte == quote && rest.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        tokens(sql.as_bytes()).iter().map(|token| String::from_utf8_lossy(token.text).into_owned()).collect()
    }

    #[test]
    fn strings_names_and_comments_are_told_from_code() {
        let cases: &[(&str, &[&str])] = &[
            ("SELECT 1", &["SELECT", "1"]),
            ("a->'$.b'", &["a", "->", "'$.b'"]),
            ("a->>\"$.b\"", &["a", "->>", "\"$.b\""]),
            ("1 -- 2 ; 3\n+4", &["1", "+", "4"]),
            ("1 # ' \n+4", &["1", "+", "4"]),
            ("1--2", &["1", "-", "-", "2"]),
            ("/* it's */ 'it''s' 'it\\'s'", &["'it''s'", "'it\\'s'"]),
            ("/*!80000 KEY */ x", &["KEY", "x"]),
            ("/*M!100100 KEY */ x", &["KEY", "x"]),
            ("`a``b`.`c\\`", &["`a``b`", ".", "`c\\`"]),
            ("'never closed ; ", &["'never closed ; "]),
            ("'ends in a backslash\\", &["'ends in a backslash\\"]),
            ("/* never closed", &[]),
            ("été = :é", &["été", "=", ":", "é"]),
        ];
        for (sql, expected) in cases {
            assert_eq!(texts(sql), *expected, "{sql}");
        }
    }

    #[test]
    fn a_value_is_what_the_engine_reads() {
        let value = |sql: &str| String::from_utf8(tokens(sql.as_bytes())[0].value()).unwrap_or_default();
        assert_eq!(value("'it''s'"), "it's");
        assert_eq!(value("'a\\'b\\\\c'"), "a'b\\c");
        assert_eq!(value("`a``b\\c`"), "a`b\\c");
        assert_eq!(value("plain"), "plain");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_cut_into_tokens_in_order(sql in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let mut last = 0;
            for token in tokens(&sql) {
                assert!(token.start >= last && token.end() <= sql.len());
                last = token.end();
                token.value();
            }
        }
    }
}
