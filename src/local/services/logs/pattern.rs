//! Filter patterns: words, quoted phrases, `?either`, `-not`, `%regular expression%`, JSON conditions and columns.
//!
//! Reference: "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live Tail"
//! (CloudWatch Logs user guide).

mod columns;

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;
use serde_json::Value;

use columns::Columns;

/// What is wrong with a pattern.
#[derive(Debug, PartialEq)]
pub(super) struct PatternError(pub(super) String);

/// A parsed filter pattern.
#[derive(Debug)]
pub(super) enum Pattern {
    All,
    Terms { required: Vec<Needle>, any: Vec<Needle>, excluded: Vec<Needle> },
    Json(Condition),
    Columns(Columns),
}

/// Something looked for in the text of an event.
#[derive(Debug)]
pub(super) enum Needle {
    Text(String),
    Expression(Regex),
}

impl Needle {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Needle::Text(part) => text.contains(part.as_str()),
            Needle::Expression(regex) => regex.is_match(text),
        }
    }
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        match text.chars().next() {
            None => Ok(Pattern::All),
            // "Match everything": a space in quotes.
            Some('"') if text == "\" \"" => Ok(Pattern::All),
            Some('{') => {
                let inner = text[1..].strip_suffix('}').ok_or_else(|| invalid("the closing } is missing"))?;
                let mut parser = Parser::new(inner, ENDS);
                let condition = parser.any()?;
                parser.spaces();
                match parser.chars.next() {
                    None => Ok(Pattern::Json(condition)),
                    Some(extra) => Err(invalid(&format!("'{extra}' is not expected there"))),
                }
            }
            Some('[') => {
                let inner = text[1..].strip_suffix(']').ok_or_else(|| invalid("the closing ] is missing"))?;
                Columns::parse(inner).map(Pattern::Columns)
            }
            Some(_) => terms(text),
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        match self {
            Pattern::All => true,
            Pattern::Terms { required, any, excluded } => {
                // `?` beside other terms, excluded ones too, has no effect (user guide, "Match terms").
                let alone = required.is_empty() && excluded.is_empty() && !any.is_empty();
                let either = !alone || any.iter().any(|needle| needle.is_in(message));
                either
                    && required.iter().all(|needle| needle.is_in(message))
                    && !excluded.iter().any(|needle| needle.is_in(message))
            }
            Pattern::Columns(columns) => columns.match_event(message),
            Pattern::Json(condition) => serde_json::from_str(message).is_ok_and(|value| condition.holds(&value)),
        }
    }
}

fn invalid(why: &str) -> PatternError {
    PatternError(format!("Invalid filter pattern: {why}"))
}

fn terms(text: &str) -> Result<Pattern, PatternError> {
    let (mut required, mut any, mut excluded) = (Vec::new(), Vec::new(), Vec::new());
    let mut parser = Parser::new(text, ENDS);
    loop {
        parser.spaces();
        let Some(&first) = parser.chars.peek() else { break };
        let into = match first {
            '?' => &mut any,
            '-' => &mut excluded,
            _ => &mut required,
        };
        if first == '?' || first == '-' {
            parser.chars.next();
        }
        into.push(parser.needle()?);
    }
    Ok(Pattern::Terms { required, any, excluded })
}

/// A condition on a JSON event.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Test { path: Vec<Step>, test: Test },
}

#[derive(Debug)]
pub(super) enum Step {
    Key(String),
    Index(usize),
    Every,
}

#[derive(Debug)]
pub(super) enum Test {
    Compare(Operator, f64),
    Equals { text: Regex, negated: bool },
    Is(Literal),
    Exists(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Literal {
    True,
    False,
    Null,
}

impl Condition {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Condition::All(all) => all.iter().all(|condition| condition.holds(value)),
            Condition::Any(any) => any.iter().any(|condition| condition.holds(value)),
            Condition::Test { path, test } => {
                let mut found = vec![value];
                for step in path {
                    found = found.into_iter().flat_map(|value| take(value, step)).collect();
                }
                match test {
                    Test::Exists(wanted) => found.is_empty() != *wanted,
                    test => found.into_iter().any(|value| test.holds(value)),
                }
            }
        }
    }
}

fn take<'v>(value: &'v Value, step: &Step) -> Vec<&'v Value> {
    match (step, value) {
        (Step::Key(key), Value::Object(map)) => map.get(key).into_iter().collect(),
        (Step::Index(index), Value::Array(list)) => list.get(*index).into_iter().collect(),
        (Step::Every, Value::Array(list)) => list.iter().collect(),
        (Step::Every, Value::Object(map)) => map.values().collect(),
        _ => Vec::new(),
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Test::Compare(operator, number), Value::Number(found)) => {
                found.as_f64().is_some_and(|found| operator.holds(found, *number))
            }
            (Test::Equals { text, negated }, Value::String(found)) => text.is_match(found) != *negated,
            (Test::Equals { text, negated }, Value::Number(found)) => text.is_match(&found.to_string()) != *negated,
            (Test::Is(literal), found) => matches!(
                (literal, found),
                (Literal::True, Value::Bool(true))
                    | (Literal::False, Value::Bool(false))
                    | (Literal::Null, Value::Null)
            ),
            _ => false,
        }
    }
}

impl Operator {
    fn holds(self, left: f64, right: f64) -> bool {
        match left.partial_cmp(&right) {
            None => false,
            Some(order) => match self {
                Operator::Equal => order.is_eq(),
                Operator::NotEqual => order.is_ne(),
                Operator::Less => order.is_lt(),
                Operator::AtMost => order.is_le(),
                Operator::Greater => order.is_gt(),
                Operator::AtLeast => order.is_ge(),
            },
        }
    }
}

struct Parser<'t> {
    chars: Peekable<Chars<'t>>,
    /// What ends a value that is not quoted, apart from spaces.
    ends: &'static str,
    /// How many regular expressions there were.
    expressions: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, ends: &'static str) -> Self {
        Parser { chars: text.chars().peekable(), ends, expressions: 0 }
    }
}

/// What regular expressions may hold beside ASCII letters, digits and spaces: no groups, no `!`.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/regex-expressions.html>
const IN_EXPRESSIONS: &str = ":_#=@/;,- ^$?[]{}|\\*+.";
/// "The limit is 2 regex for each filter pattern."
const MOST_EXPRESSIONS: usize = 2;
const ENDS: &str = ")&|";

impl Parser<'_> {
    fn spaces(&mut self) {
        while self.chars.next_if(|c| c.is_whitespace()).is_some() {}
    }

    fn while_in(&mut self, keep: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(c) = self.chars.next_if(|c| keep(*c)) {
            text.push(c);
        }
        text
    }

    fn eat(&mut self, text: &str) -> bool {
        let mut ahead = self.chars.clone();
        if text.chars().all(|c| ahead.next() == Some(c)) {
            self.chars = ahead;
            return true;
        }
        false
    }

    /// `"…"` with `\"` inside, after the opening quote.
    fn quoted(&mut self, quote: char) -> Result<String, PatternError> {
        let mut text = String::new();
        loop {
            match self.chars.next() {
                None => return Err(invalid("a closing quote is missing")),
                Some(c) if c == quote => return Ok(text),
                Some('\\') => text.extend(self.chars.next()),
                Some(c) => text.push(c),
            }
        }
    }

    /// `%…%`, after the opening sign.
    fn expression(&mut self) -> Result<Regex, PatternError> {
        let source = self.while_in(|c| c != '%');
        if self.chars.next().is_none() {
            return Err(invalid("the closing % of a regular expression is missing"));
        }
        if let Some(other) = source.chars().find(|c| !c.is_ascii_alphanumeric() && !IN_EXPRESSIONS.contains(*c)) {
            return Err(invalid(&format!("{other} is not supported in the regular expression %{source}%")));
        }
        self.expressions += 1;
        if self.expressions > MOST_EXPRESSIONS {
            return Err(invalid(&format!("it has more than {MOST_EXPRESSIONS} regular expressions")));
        }
        Regex::new(&source).map_err(|error| invalid(&format!("%{source}% is no regular expression: {error}")))
    }

    fn needle(&mut self) -> Result<Needle, PatternError> {
        if self.eat("\"") {
            return self.quoted('"').map(Needle::Text);
        }
        if self.eat("%") {
            return self.expression().map(Needle::Expression);
        }
        let word = self.while_in(|c| !c.is_whitespace());
        match word.chars().find(|c| !c.is_alphanumeric() && *c != '_') {
            Some(_) => Err(PatternError(format!("Invalid character(s) in term '{word}'"))),
            None if word.is_empty() => Err(invalid("a term is missing")),
            None => Ok(Needle::Text(word)),
        }
    }

    fn any(&mut self) -> Result<Condition, PatternError> {
        let mut parts = vec![self.all()?];
        while {
            self.spaces();
            self.eat("||")
        } {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
    }

    fn all(&mut self) -> Result<Condition, PatternError> {
        let mut parts = vec![self.one()?];
        while {
            self.spaces();
            self.eat("&&")
        } {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn one(&mut self) -> Result<Condition, PatternError> {
        self.spaces();
        if self.eat("(") {
            let inner = self.any()?;
            self.spaces();
            return if self.eat(")") { Ok(inner) } else { Err(invalid("a closing ) is missing")) };
        }
        let path = self.path()?;
        self.spaces();
        let test = self.test()?;
        Ok(Condition::Test { path, test })
    }

    fn path(&mut self) -> Result<Vec<Step>, PatternError> {
        if !self.eat("$") {
            return Err(invalid("a property selector starts with $"));
        }
        let mut path = Vec::new();
        loop {
            // `$.['cluster.name']` is `$["cluster.name"]`.
            if self.eat(".[") || self.eat("[") {
                path.push(self.subscript()?);
            } else if self.eat(".*") {
                path.push(Step::Every);
            } else if self.eat(".") {
                let key = self.while_in(|c| c.is_alphanumeric() || c == '_' || c == '-');
                if key.is_empty() {
                    return Err(invalid("a property name is missing after ."));
                }
                path.push(Step::Key(key));
            } else {
                return Ok(path);
            }
        }
    }

    fn subscript(&mut self) -> Result<Step, PatternError> {
        let step = if self.eat("\"") {
            Step::Key(self.quoted('"')?)
        } else if self.eat("'") {
            Step::Key(self.quoted('\'')?)
        } else if self.eat("*") {
            Step::Every
        } else {
            let digits = self.while_in(|c| c.is_ascii_digit());
            Step::Index(digits.parse().map_err(|_| invalid("an array index must be a number"))?)
        };
        if self.eat("]") { Ok(step) } else { Err(invalid("a closing ] is missing")) }
    }

    fn test(&mut self) -> Result<Test, PatternError> {
        if self.eat("NOT") {
            self.spaces();
            return if self.eat("EXISTS") { Ok(Test::Exists(false)) } else { Err(invalid("EXISTS must follow NOT")) };
        }
        if self.eat("EXISTS") {
            return Ok(Test::Exists(true));
        }
        if self.eat("IS") {
            self.spaces();
            let word = self.while_in(char::is_alphabetic);
            return match word.as_str() {
                "TRUE" => Ok(Test::Is(Literal::True)),
                "FALSE" => Ok(Test::Is(Literal::False)),
                "NULL" => Ok(Test::Is(Literal::Null)),
                _ => Err(invalid(&format!("IS {word} is not known; TRUE, FALSE and NULL are"))),
            };
        }
        let operators = [
            ("!=", Operator::NotEqual),
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("=", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        let operator = operators.into_iter().find(|(text, _)| self.eat(text));
        let (_, operator) = operator.ok_or_else(|| invalid("a comparison must follow the property selector"))?;
        self.spaces();
        self.operand(operator)
    }

    fn value(&mut self) -> String {
        let ends = self.ends;
        self.while_in(|c| !c.is_whitespace() && !ends.contains(c))
    }

    fn operand(&mut self, operator: Operator) -> Result<Test, PatternError> {
        let equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        let negated = operator == Operator::NotEqual;
        if equality && self.eat("%") {
            return Ok(Test::Equals { text: self.expression()?, negated });
        }
        let quoted = self.eat("\"");
        let text = if quoted { self.quoted('"')? } else { self.value() };
        // `nan` and `inf` are numbers to Rust only.
        if !quoted
            && text.contains(|c: char| c.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return Ok(Test::Compare(operator, number));
        }
        if !equality {
            return Err(invalid(&format!("'{text}' is not a number")));
        }
        if text.is_empty() && !quoted {
            return Err(invalid("a value is missing"));
        }
        let source = text.split('*').map(regex::escape).collect::<Vec<_>>().join(".*");
        let text = Regex::new(&format!("(?s)^{source}$")).map_err(|error| invalid(&error.to_string()))?;
        Ok(Test::Equals { text, negated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_user_guide_says() {
        let json =
            r#"{"level":"ERROR","n":5.5,"ok":true,"gone":null,"user":{"name":"Ann B","ids":[3,7]},"ip":"10.0.0.8"}"#;
        let cases = [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("ERROR timeout", "timeout then ERROR", true),
            ("ERROR -retry", "ERROR, will retry", false),
            ("?WARN ?ERROR", "a WARN", true),
            ("?WARN ?ERROR", "an INFO", false),
            ("\"two words\"", "has two words in it", true),
            ("\"two words\"", "two other words", false),
            ("%4[0-9]{2}%", "status 404", true),
            ("{ $.level = \"ERROR\" }", json, true),
            ("{ $.level = ERR* }", json, true),
            ("{ $.level != \"ERROR\" }", json, false),
            ("{ $.n > 5 && $.n <= 5.5 }", json, true),
            ("{ $.n < 5 || ($.ok IS TRUE && $.gone IS NULL) }", json, true),
            ("{ $.user.ids[1] = 7 }", json, true),
            ("{ $.user.ids[*] = 3 }", json, true),
            ("{ $.missing NOT EXISTS }", json, true),
            ("{ $.['level'] = \"ERROR\" && $[\"user\"].name = Ann* }", json, true),
            ("{ $.* = %^10% }", json, true),
            ("{ $.* = 5 }", json, false),
            ("?WARN -retry", "an INFO", true),
            ("\" \"", "one", true),
            ("{ $.user.name EXISTS }", json, true),
            ("{ $.ip = %^10\\.0% }", json, true),
            ("{ $.level = \"ERROR\" }", "not json ERROR", false),
        ];
        for (pattern, message, expected) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(message), expected, "{pattern} on {message}");
        }
    }

    #[test]
    fn broken_patterns_are_refused_with_what_is_wrong() {
        for pattern in [
            "foo:bar",
            "\"open",
            "{ $.a = }",
            "{ $.a > x }",
            "{ a = 1 }",
            "{ $.a = 1",
            "{ $.a IS MAYBE }",
            "%[%",
            "%(a|b)%",
            "%something!%",
            "%é%",
            "%a% %b% %c%",
            "{ $.a = %a% && $.b = %b% && $.c = %c% }",
            "[x = %a%, y = %b%, z = %c%]",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
        for pattern in ["%[Ee]rror|\\d{1,3}\\.\\d+% ?%^a:b_c#d=e@f/g;h,i-j$%", "{ $.a = %a% && $.b = %b% }"] {
            Pattern::parse(pattern).unwrap();
        }
    }
}
