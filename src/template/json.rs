//! JSON with positions. JSON is a subset of YAML almost: what the YAML reader gets wrong (surrogate pairs, tabs, long keys)
//! is in templates that programs write.

use std::iter::Peekable;
use std::str::Chars;

use super::problem::{Position, Problem};
use super::yaml::{Entry, MAX_DEPTH, Map, Node, Value};

/// Reads one JSON document. A syntax error ends it; keys that are there twice are all reported.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    let mut reader =
        Reader { rest: text.chars().peekable(), at: Position { line: 1, column: 1 }, depth: 0, problems: Vec::new() };
    let node = reader.document();
    match node {
        Ok(node) if reader.problems.is_empty() => Ok(node),
        Ok(_) => Err(reader.problems),
        Err(fatal) => {
            reader.problems.push(fatal);
            Err(reader.problems)
        }
    }
}

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    at: Position,
    depth: usize,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Node, Problem> {
        let node = self.value()?;
        self.space();
        if self.rest.peek().is_some() { Err(self.wrong("text after the end of the document")) } else { Ok(node) }
    }

    fn wrong(&self, what: &str) -> Problem {
        Problem::new(self.at, "", format!("not valid JSON: {what}"))
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        match next {
            Some('\n') => self.at = Position { line: self.at.line + 1, column: 1 },
            Some(_) => self.at.column += 1,
            None => {}
        }
        next
    }

    fn space(&mut self) {
        while matches!(self.rest.peek(), Some(' ' | '\t' | '\r' | '\n')) {
            self.next();
        }
    }

    fn expect(&mut self, sign: char) -> Result<(), Problem> {
        self.space();
        if self.rest.peek() == Some(&sign) {
            self.next();
            return Ok(());
        }
        Err(self.wrong(&format!("`{sign}` expected")))
    }

    fn value(&mut self) -> Result<Node, Problem> {
        self.space();
        let at = self.at;
        let value = match self.rest.peek() {
            Some('{') => self.nested(Reader::object)?,
            Some('[') => self.nested(Reader::array)?,
            Some('"') => Value::String(self.string()?),
            Some('-' | '0'..='9' | 'a'..='z') => self.word()?,
            _ => return Err(self.wrong("a value expected")),
        };
        Ok(Node::new(value, at))
    }

    fn nested(&mut self, read: impl Fn(&mut Self) -> Result<Value, Problem>) -> Result<Value, Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(&format!("nested more than {MAX_DEPTH} levels deep")));
        }
        self.next();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// Whether another element follows; after the last one the closing sign is taken.
    fn more(&mut self, first: bool, close: char) -> Result<bool, Problem> {
        self.space();
        match self.rest.peek() {
            Some(sign) if *sign == close => {
                self.next();
                Ok(false)
            }
            Some(',') if !first => {
                self.next();
                Ok(true)
            }
            Some(_) if first => Ok(true),
            _ => Err(self.wrong(&format!("`,` or `{close}` expected"))),
        }
    }

    fn object(&mut self) -> Result<Value, Problem> {
        let mut map = Map::new();
        while self.more(map.is_empty(), '}')? {
            self.space();
            let at = self.at;
            if self.rest.peek() != Some(&'"') {
                return Err(self.wrong("a key in double quotes expected"));
            }
            let key = self.string()?;
            self.expect(':')?;
            let node = self.value()?;
            if map.contains_key(&key) {
                self.problems.push(Problem::new(at, "", format!("the key `{key}` is there twice")));
            } else {
                map.insert(key, Entry { at, node });
            }
        }
        Ok(Value::Map(map))
    }

    fn array(&mut self) -> Result<Value, Problem> {
        let mut list = Vec::new();
        while self.more(list.is_empty(), ']')? {
            list.push(self.value()?);
        }
        Ok(Value::List(list))
    }

    fn word(&mut self) -> Result<Value, Problem> {
        let mut word = String::new();
        let before = self.at;
        while let Some(sign) =
            self.rest.peek().copied().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'))
        {
            word.push(sign);
            self.next();
        }
        let digits = word.strip_prefix('-').unwrap_or(&word);
        // JSON has no leading zeros: an account number that begins with one is text, and has to be written as such.
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        let integer = !digits.is_empty() && !leading_zero && digits.bytes().all(|b| b.is_ascii_digit());
        Ok(match word.as_str() {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            // Text, rather than a number that is not the one written, if it does not fit.
            _ if integer => word.parse().map_or(Value::String(word), Value::Integer),
            _ => match serde_json::from_str::<f64>(&word) {
                Ok(number) => Value::Float(number),
                Err(_) => return Err(Problem::new(before, "", format!("not valid JSON: `{word}` is no value"))),
            },
        })
    }

    fn string(&mut self) -> Result<String, Problem> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(sign) if sign >= ' ' => text.push(sign),
                Some(_) => return Err(self.wrong("a control character in a string")),
                None => return Err(self.wrong("the string does not end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Problem> {
        Ok(match self.next() {
            Some(sign @ ('"' | '\\' | '/')) => sign,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let first = self.unit()?;
                let pair = (0xd800..0xdc00).contains(&first) && self.next() == Some('\\') && self.next() == Some('u');
                let units = if pair { vec![first, self.unit()?] } else { vec![first] };
                match char::decode_utf16(units).next() {
                    Some(Ok(sign)) => sign,
                    _ => return Err(self.wrong("half a surrogate pair")),
                }
            }
            _ => return Err(self.wrong("unknown escape")),
        })
    }

    fn unit(&mut self) -> Result<u16, Problem> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self
                .next()
                .and_then(|sign| sign.to_digit(16))
                .ok_or_else(|| self.wrong("four hexadecimal digits expected"))?;
            // Four digits of four bits fit into sixteen.
            unit = unit << 4 | digit as u16;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_does_not_call_a_number_is_not_one() {
        for bad in [r#"{"Account": 012345678901}"#, "[-]", "[-01]", "[ , ]", r#"{"a": }"#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for good in ["[0]", "[-0]", "[-12]", "[0.5]", "[1e3]", "[123456789012345678901234567890]"] {
            assert!(parse(good).is_ok(), "{good}");
        }
    }
}
