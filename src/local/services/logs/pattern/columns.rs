//! Patterns for space-delimited events: `[ip, user, ..., status = 4* || status = 5*, bytes > 1000]`.

use serde_json::Value;

use super::{Operator, Parser, PatternError, Test, invalid};

/// One entry per field of the event.
#[derive(Debug)]
pub(in super::super) struct Columns {
    first: Vec<Column>,
    /// Those after `...`, which stands for any number of fields.
    last: Option<Vec<Column>>,
}

/// What one field has to be: one of several tests, each of which may be joined by `&&`. None: anything.
#[derive(Debug, Default)]
struct Column {
    either: Vec<Vec<Test>>,
}

impl Columns {
    /// Reads what stands between the brackets.
    pub(super) fn parse(inner: &str) -> Result<Self, PatternError> {
        let mut parser = Parser::new(inner, ")&|,");
        let (mut first, mut last) = (Vec::new(), None);
        loop {
            parser.spaces();
            if parser.eat("...") {
                if last.replace(Vec::new()).is_some() {
                    return Err(invalid("... stands in it more than once"));
                }
            } else {
                last.as_mut().unwrap_or(&mut first).push(column(&mut parser)?);
            }
            parser.spaces();
            match parser.chars.next() {
                None => return Ok(Columns { first, last }),
                Some(',') => {}
                Some(other) => return Err(invalid(&format!("'{other}' is not expected there"))),
            }
        }
    }

    pub(super) fn match_event(&self, message: &str) -> bool {
        let fields = fields(message);
        let holds =
            |columns: &[Column], fields: &[&str]| columns.iter().zip(fields).all(|(one, field)| one.holds(field));
        let Some(last) = &self.last else {
            return fields.len() == self.first.len() && holds(&self.first, &fields);
        };
        let Some(rest) = fields.len().checked_sub(last.len()).filter(|rest| *rest >= self.first.len()) else {
            return false;
        };
        holds(&self.first, &fields) && holds(last, &fields[rest..])
    }
}

/// A name, and conditions on it.
fn column(parser: &mut Parser<'_>) -> Result<Column, PatternError> {
    let mut column = Column::default();
    let mut name = None;
    let mut joined = false;
    loop {
        parser.spaces();
        let own = parser.while_in(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if own.is_empty() || name.as_ref().is_some_and(|name| *name != own) {
            return Err(invalid("each entry names one field, in every condition of it"));
        }
        parser.spaces();
        let tested = parser.chars.peek().is_some_and(|c| "=!<>".contains(*c));
        if !tested {
            let bare = column.either.is_empty() && name.is_none();
            return if bare { Ok(column) } else { Err(invalid("a comparison must follow the field's name")) };
        }
        let test = parser.test()?;
        match column.either.last_mut() {
            Some(all) if joined => all.push(test),
            _ => column.either.push(vec![test]),
        }
        parser.spaces();
        joined = parser.eat("&&");
        if !joined && !parser.eat("||") {
            return Ok(column);
        }
        name = Some(own);
    }
}

impl Column {
    fn holds(&self, field: &str) -> bool {
        let one = |test: &Test| match (test, field.parse::<f64>()) {
            (Test::Compare(operator, number), Ok(found)) => operator.holds(found, *number),
            (Test::Compare(operator, _), Err(_)) => *operator == Operator::NotEqual,
            (test, _) => test.holds(&Value::from(field)),
        };
        self.either.is_empty() || self.either.iter().any(|all| all.iter().all(one))
    }
}

/// The event's fields: words, and what stands between quotes or square brackets.
fn fields(message: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = message.trim_start();
    while let Some(first) = rest.chars().next() {
        let closing = match first {
            '"' => rest[1..].find('"'),
            '[' => rest[1..].find(']'),
            _ => None,
        };
        let end = match closing {
            Some(length) => {
                found.push(&rest[1..=length]);
                length + 2
            }
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                found.push(&rest[..end]);
                end
            }
        };
        rest = rest[end..].trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::fields;
    use crate::services::logs::pattern::Pattern;

    const LINE: &str = r#"127.0.0.1 - frank [10/Oct/2026:13:25:15 -0700] "GET /x.html HTTP/1.1" 404 1534"#;

    #[test]
    fn quotes_and_brackets_hold_a_field_together() {
        let expected = ["127.0.0.1", "-", "frank", "10/Oct/2026:13:25:15 -0700", "GET /x.html HTTP/1.1", "404", "1534"];
        assert_eq!(fields(LINE), expected);
        assert_eq!(fields("a \"open [b] \"\" é"), ["a", "open [b] ", "\"", "é"]);
        assert!(fields("  ").is_empty());
    }

    #[test]
    fn fields_are_matched_as_the_user_guide_says() {
        let cases = [
            ("[ip, id, user, time, request, status, bytes]", true),
            ("[ip, id, user, time, request, status]", false),
            ("[ip, ..., status = 404, bytes]", true),
            ("[..., status = 4*, bytes > 1000]", true),
            ("[..., status = 5* || status = 404, bytes]", true),
            ("[..., status >= 400 && status < 404, bytes]", false),
            ("[ip != 127.0.0.1, ...]", false),
            ("[ip = %127\\.0\\.0\\.[1-9]%, ...]", true),
            ("[ip, id, user, time, request = *.html*, ...]", true),
            ("[ip, id, user = \"frank\", ...]", true),
            ("[a, b, c, d, e, f, g, ..., h]", false),
            ("[...]", true),
            ("[..., user != 5, time, request, status, bytes]", true),
        ];
        for (pattern, expected) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(LINE), expected, "{pattern}");
        }
        for broken in ["[a", "[]", "[a,]", "[..., a, ...]", "[a = 1 || b = 2]", "[a =]", "[a b]", "[a = 1 ||]"] {
            assert!(Pattern::parse(broken).is_err(), "{broken}");
        }
    }
}
