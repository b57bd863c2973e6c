//! The filters of JSON paths: `?(@.price < 10 && @.isbn)`.

use serde_json::Value;

use super::json_path::{JsonPath, quoted};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Exists(JsonPath),
    Compare(Operand, Comparison, Operand),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Literal(Value),
    Path(JsonPath),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    AtMost,
    AtLeast,
    Less,
    Greater,
}

/// The longer signs first: `<=` begins as `<` does.
const COMPARISONS: &[(&str, Comparison)] = &[
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];
/// Nesting that no honest filter has.
const DEEPEST: usize = 32;

impl Filter {
    /// Reads `(…)`, and gives what follows.
    pub(super) fn parse(text: &str) -> Result<(Self, &str), String> {
        let mut reader = Reader { rest: text, depth: 0 };
        let filter = match reader.eat("(") {
            true => reader.brackets()?,
            false => return Err("a filter begins with '?('".into()),
        };
        Ok((filter, reader.rest))
    }

    pub(super) fn holds(&self, item: &Value) -> bool {
        match self {
            Filter::Or(any) => any.iter().any(|filter| filter.holds(item)),
            Filter::And(all) => all.iter().all(|filter| filter.holds(item)),
            Filter::Not(inner) => !inner.holds(item),
            Filter::Exists(path) => path.select(item).is_some(),
            Filter::Compare(left, comparison, right) => comparison.holds(left.of(item), right.of(item)),
        }
    }
}

impl Operand {
    fn of(&self, item: &Value) -> Option<Value> {
        match self {
            Operand::Literal(value) => Some(value.clone()),
            Operand::Path(path) => path.select(item),
        }
    }
}

impl Comparison {
    fn holds(self, left: Option<Value>, right: Option<Value>) -> bool {
        let (Some(left), Some(right)) = (left, right) else { return self == Comparison::NotEqual };
        let order = match left.as_f64().zip(right.as_f64()) {
            Some((left, right)) => left.partial_cmp(&right),
            None => left.as_str().zip(right.as_str()).map(|(left, right)| left.cmp(right)),
        };
        let equal = order.map_or_else(|| left == right, std::cmp::Ordering::is_eq);
        match self {
            Comparison::Equal => equal,
            Comparison::NotEqual => !equal,
            Comparison::AtMost => order.is_some_and(std::cmp::Ordering::is_le),
            Comparison::AtLeast => order.is_some_and(std::cmp::Ordering::is_ge),
            Comparison::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Comparison::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        }
    }
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl Reader<'_> {
    fn eat(&mut self, sign: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// After `(`.
    fn brackets(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the filter is nested too deeply".into());
        }
        let mut any = vec![self.all()?];
        while self.eat("||") {
            any.push(self.all()?);
        }
        self.depth -= 1;
        if self.eat(")") { Ok(Filter::Or(any)) } else { Err(format!("')' is missing before {:?}", self.rest)) }
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut all = vec![self.one()?];
        while self.eat("&&") {
            all.push(self.one()?);
        }
        Ok(Filter::And(all))
    }

    fn one(&mut self) -> Result<Filter, String> {
        let not = self.eat("!");
        let filter = if self.eat("(") { self.brackets()? } else { self.comparison()? };
        Ok(if not { Filter::Not(Box::new(filter)) } else { filter })
    }

    fn comparison(&mut self) -> Result<Filter, String> {
        let left = self.operand()?;
        match COMPARISONS.iter().find(|(sign, _)| self.eat(sign)) {
            Some((_, comparison)) => Ok(Filter::Compare(left, *comparison, self.operand()?)),
            None => match left {
                Operand::Path(path) => Ok(Filter::Exists(path)),
                Operand::Literal(value) => Err(format!("{value} is compared with nothing")),
            },
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        if self.eat("@") {
            let end = path_end(self.rest);
            let (path, rest) = self.rest.split_at(end);
            self.rest = rest;
            return JsonPath::parse(path).map(Operand::Path);
        }
        if self.rest.starts_with(['\'', '"']) {
            let (text, rest) = quoted(self.rest)?;
            self.rest = rest;
            return Ok(Operand::Literal(Value::String(text)));
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        serde_json::from_str(word).map(Operand::Literal).map_err(|_| format!("{word:?} is not supported in a filter"))
    }
}

/// Where a path in a filter ends: at what no path has outside of brackets.
fn path_end(text: &str) -> usize {
    let mut brackets = 0_usize;
    let end = text.char_indices().find(|(_, c)| {
        match c {
            '[' => brackets += 1,
            ']' => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        brackets == 0 && !c.is_alphanumeric() && !"._-[]*'\"".contains(*c)
    });
    end.map_or(text.len(), |(at, _)| at)
}
