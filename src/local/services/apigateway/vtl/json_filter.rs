//! The filters of JSON paths: `?(@.price < 10 && @.isbn)`.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::budget::Budget;
use super::eval::Eval;
use super::json_path::{JsonPath, quoted, shown};
use super::number;

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
/// Nesting that no honest filter has: of brackets, and of filters in the paths of filters.
const DEEPEST: usize = 32;

impl Filter {
    /// Reads `(…)`, which stands in so many brackets of other filters, and gives what follows.
    pub(super) fn parse(text: &str, depth: usize) -> Result<(Self, &str), String> {
        let mut reader = Reader { rest: text, depth };
        let filter = match reader.eat("(") {
            true => reader.brackets()?,
            false => return Err("a filter begins with '?('".into()),
        };
        Ok((filter, reader.rest))
    }

    pub(super) fn holds(&self, item: &Value, budget: &mut Budget) -> Eval<bool> {
        budget.looks(1)?;
        match self {
            Filter::Or(any) => {
                for filter in any {
                    if filter.holds(item, budget)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::And(all) => {
                for filter in all {
                    if !filter.holds(item, budget)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Not(inner) => Ok(!inner.holds(item, budget)?),
            Filter::Exists(path) => Ok(path.selected(item, budget)?.is_some()),
            Filter::Compare(left, comparison, right) => {
                let (left, right) = (left.of(item, budget)?, right.of(item, budget)?);
                comparison.holds(left.as_deref(), right.as_deref(), budget)
            }
        }
    }
}

impl Operand {
    fn of<'v>(&'v self, item: &'v Value, budget: &mut Budget) -> Eval<Option<Cow<'v, Value>>> {
        match self {
            Operand::Literal(value) => Ok(Some(Cow::Borrowed(value))),
            Operand::Path(path) => path.selected(item, budget),
        }
    }
}

impl Comparison {
    fn holds(self, left: Option<&Value>, right: Option<&Value>, budget: &mut Budget) -> Eval<bool> {
        let (Some(left), Some(right)) = (left, right) else { return Ok(self == Comparison::NotEqual) };
        let order = match (left, right) {
            (Value::Number(left), Value::Number(right)) => number::order(left, right),
            (Value::String(left), Value::String(right)) => {
                budget.scanned(left)?;
                Some(left.cmp(right))
            }
            _ => None,
        };
        let equal = match order {
            Some(order) => order.is_eq(),
            None => alike(left, right, budget)?,
        };
        Ok(match self {
            Comparison::Equal => equal,
            Comparison::NotEqual => !equal,
            Comparison::AtMost => order.is_some_and(Ordering::is_le),
            Comparison::AtLeast => order.is_some_and(Ordering::is_ge),
            Comparison::Less => order.is_some_and(Ordering::is_lt),
            Comparison::Greater => order.is_some_and(Ordering::is_gt),
        })
    }
}

fn alike(left: &Value, right: &Value, budget: &mut Budget) -> Eval<bool> {
    budget.looks(1)?;
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Ok(number::order(left, right).is_some_and(Ordering::is_eq)),
        (Value::String(left), Value::String(right)) => {
            budget.scanned(left)?;
            Ok(left == right)
        }
        (Value::Array(left), Value::Array(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right) {
                if !alike(left, right, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Object(left), Value::Object(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (key, left) in left {
                let Some(right) = right.get(key) else { return Ok(false) };
                if !alike(left, right, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(left == right),
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
        if self.eat(")") { Ok(Filter::Or(any)) } else { Err(format!("')' is missing before {:?}", shown(self.rest))) }
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
            return JsonPath::parse_at(path, self.depth).map(Operand::Path);
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
