//! The values of a rendering. Lists and maps are Java's: two variables can hold the same one, and what is done to it by
//! one name is seen by the other. They live as long as the rendering.

use std::cmp::Ordering;
use std::rc::Rc;

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};

use super::budget::Budget;
use super::eval::Eval;
use super::number;

/// About what a value takes in memory, and an entry of a map beside its value.
const VALUE: usize = 32;
const ENTRY: usize = 64;
/// Values are read, printed and compared by recursion. JSON is read to 128 levels.
const DEEPEST: usize = 150;

/// A value, or where it lies.
#[derive(Clone, Debug)]
pub(super) enum Held {
    Null,
    Bool(bool),
    Number(Number),
    Text(Rc<str>),
    List(usize),
    Map(usize),
}

impl From<i64> for Held {
    fn from(number: i64) -> Self {
        Held::Number(number.into())
    }
}

impl From<Ordering> for Held {
    fn from(order: Ordering) -> Self {
        Held::from(order as i64)
    }
}

impl From<usize> for Held {
    fn from(number: usize) -> Self {
        Held::Number(number.into())
    }
}

impl Held {
    /// A number that is none, as of a division by zero, is no value.
    pub(super) fn float(number: f64) -> Self {
        Number::from_f64(number).map_or(Held::Null, Held::Number)
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Held::Null)
    }

    pub(super) fn as_number(&self) -> Option<&Number> {
        match self {
            Held::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Held::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_index(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// Velocity's truth: what is there and is not `false`. In 1.7 that is an empty text as well.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Held::Null => false,
            Held::Bool(truth) => *truth,
            _ => true,
        }
    }

    /// What it is, for an error.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Held::Null => "nothing",
            Held::Bool(_) => "a boolean",
            Held::Number(_) => "a number",
            Held::Text(_) => "a text",
            Held::List(_) => "a list",
            Held::Map(_) => "a map",
        }
    }
}

pub(super) type Entries = IndexMap<Rc<str>, Held>;

struct List {
    items: Vec<Held>,
    /// From a body: API Gateway prints it as JSON, unlike a list that a template makes.
    json: bool,
}

/// Where lists and maps live, and what is left of the budget for more.
pub(super) struct Heap {
    lists: Vec<List>,
    maps: Vec<Entries>,
    pub(super) budget: Budget,
}

impl Heap {
    pub(super) fn new(budget: Budget) -> Self {
        Heap { lists: Vec::new(), maps: Vec::new(), budget }
    }

    pub(super) fn text(&mut self, text: &str) -> Eval<Held> {
        self.budget.bytes(VALUE + text.len())?;
        Ok(Held::Text(text.into()))
    }

    pub(super) fn list(&mut self, items: Vec<Held>) -> Eval<Held> {
        self.keep(List { items, json: false })
    }

    fn keep(&mut self, list: List) -> Eval<Held> {
        self.budget.bytes(VALUE * (1 + list.items.len()))?;
        self.lists.push(list);
        Ok(Held::List(self.lists.len() - 1))
    }

    pub(super) fn map(&mut self, entries: Entries) -> Eval<Held> {
        let keys: usize = entries.keys().map(|key| key.len()).sum();
        self.budget.bytes(VALUE + ENTRY * entries.len() + keys)?;
        self.maps.push(entries);
        Ok(Held::Map(self.maps.len() - 1))
    }

    /// A value of JSON.
    pub(super) fn json(&mut self, value: &Value) -> Eval<Held> {
        Ok(match value {
            Value::Null => Held::Null,
            Value::Bool(truth) => Held::Bool(*truth),
            Value::Number(number) => Held::Number(number.clone()),
            Value::String(text) => self.text(text)?,
            Value::Array(items) => {
                let items = items.iter().map(|item| self.json(item)).collect::<Eval<_>>()?;
                self.keep(List { items, json: true })?
            }
            Value::Object(members) => {
                let entry = |(key, value): (&String, &Value)| Ok((key.as_str().into(), self.json(value)?));
                let entries = members.iter().map(entry).collect::<Eval<_>>()?;
                self.map(entries)?
            }
        })
    }

    pub(super) fn items(&self, list: usize) -> &[Held] {
        &self.lists[list].items
    }

    /// To change a list that may grow by so many items.
    pub(super) fn items_mut(&mut self, list: usize, more: usize) -> Eval<&mut Vec<Held>> {
        self.budget.bytes(VALUE * more)?;
        Ok(&mut self.lists[list].items)
    }

    pub(super) fn entries(&self, map: usize) -> &Entries {
        &self.maps[map]
    }

    pub(super) fn entries_mut(&mut self, map: usize) -> &mut Entries {
        &mut self.maps[map]
    }

    /// Puts a value into a map; gives what was there.
    pub(super) fn put(&mut self, map: usize, key: &str, value: Held) -> Eval<Held> {
        if let Some(there) = self.maps[map].get_mut(key) {
            return Ok(std::mem::replace(there, value));
        }
        self.budget.bytes(ENTRY + VALUE + key.len())?;
        self.maps[map].insert(key.into(), value);
        Ok(Held::Null)
    }

    /// `$value.name`
    pub(super) fn property(&self, value: &Held, name: &str) -> Held {
        match value {
            Held::Map(map) => self.maps[*map].get(name).cloned().unwrap_or(Held::Null),
            Held::List(list) if name == "empty" => Held::Bool(self.items(*list).is_empty()),
            Held::Text(text) if name == "empty" => Held::Bool(text.is_empty()),
            _ => Held::Null,
        }
    }

    /// `$value[index]`: of a list, a negative one counts from its end.
    pub(super) fn element(&mut self, value: &Held, index: &Held) -> Eval<Held> {
        match (value, index.as_index()) {
            (Held::List(list), Some(index)) => {
                let index = self.place(*list, index);
                self.item(*list, index)
            }
            (Held::Map(map), _) => {
                let key = self.print(index)?;
                Ok(self.maps[*map].get(key.as_str()).cloned().unwrap_or(Held::Null))
            }
            _ => Ok(Held::Null),
        }
    }

    /// A place in a list: a negative one counts from its end.
    pub(super) fn place(&self, list: usize, index: i64) -> i64 {
        if index < 0 { index.saturating_add_unsigned(self.items(list).len() as u64) } else { index }
    }

    pub(super) fn item(&self, list: usize, index: i64) -> Eval<Held> {
        let items = self.items(list);
        let found = usize::try_from(index).ok().and_then(|index| items.get(index).cloned());
        found.ok_or_else(|| format!("index {index} is beyond a list of {}", items.len()))
    }

    /// A value as Velocity prints it: maps and the template's own lists in Java's form, lists of a body as JSON.
    pub(super) fn print(&mut self, value: &Held) -> Eval<String> {
        match value {
            Held::Text(text) => {
                self.budget.scanned(text)?;
                Ok(text.to_string())
            }
            other => {
                let mut out = String::new();
                self.write(other, 0, &mut out)?;
                Ok(out)
            }
        }
    }

    fn write(&mut self, value: &Held, depth: usize, out: &mut String) -> Eval<()> {
        self.one_of(depth, out.len())?;
        match value {
            Held::Null => out.push_str("null"),
            Held::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Held::Number(number) => out.push_str(&number::print(number)),
            Held::Text(text) => out.push_str(text),
            Held::List(list) if self.lists[*list].json => {
                let json = self.value_at(value, depth)?;
                out.push_str(&json.to_string());
            }
            Held::List(list) => {
                out.push('[');
                for at in 0..self.items(*list).len() {
                    out.push_str(if at == 0 { "" } else { ", " });
                    let item = self.items(*list)[at].clone();
                    self.write(&item, depth + 1, out)?;
                }
                out.push(']');
            }
            Held::Map(map) => {
                out.push('{');
                for at in 0..self.maps[*map].len() {
                    let Some((key, item)) = self.maps[*map].get_index(at) else { break };
                    let (key, item) = (key.clone(), item.clone());
                    out.push_str(if at == 0 { "" } else { ", " });
                    out.push_str(&key);
                    out.push('=');
                    self.write(&item, depth + 1, out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// One more value is looked at, `depth` levels down, after so many bytes were written.
    fn one_of(&mut self, depth: usize, written: usize) -> Eval<()> {
        self.budget.steps(1)?;
        self.budget.allows(written)?;
        if depth > DEEPEST { Err("a value of the template is nested too deeply".into()) } else { Ok(()) }
    }

    /// A value as JSON.
    pub(super) fn value(&mut self, value: &Held) -> Eval<Value> {
        self.value_at(value, 0)
    }

    fn value_at(&mut self, value: &Held, depth: usize) -> Eval<Value> {
        self.one_of(depth, 0)?;
        self.budget.bytes(VALUE)?;
        Ok(match value {
            Held::Null => Value::Null,
            Held::Bool(truth) => Value::Bool(*truth),
            Held::Number(number) => Value::Number(number.clone()),
            Held::Text(text) => {
                self.budget.bytes(text.len())?;
                Value::String(text.to_string())
            }
            Held::List(list) => {
                let items = self.items(*list).to_vec();
                items.iter().map(|item| self.value_at(item, depth + 1)).collect::<Eval<Vec<_>>>()?.into()
            }
            Held::Map(map) => {
                let entries = self.maps[*map].clone();
                let entry = |(key, item): (&Rc<str>, &Held)| Ok((key.to_string(), self.value_at(item, depth + 1)?));
                entries.iter().map(entry).collect::<Eval<Map<_, _>>>()?.into()
            }
        })
    }

    /// `==`: of two kinds, what they print.
    pub(super) fn equal(&mut self, left: &Held, right: &Held) -> Eval<bool> {
        self.equal_at(left, right, 0)
    }

    fn equal_at(&mut self, left: &Held, right: &Held, depth: usize) -> Eval<bool> {
        self.one_of(depth, 0)?;
        match (left, right) {
            (Held::Null, Held::Null) => Ok(true),
            (Held::Null, _) | (_, Held::Null) => Ok(false),
            (Held::Bool(left), Held::Bool(right)) => Ok(left == right),
            (Held::Number(left), Held::Number(right)) => Ok(number::order(left, right).is_some_and(Ordering::is_eq)),
            (Held::Text(left), Held::Text(right)) => {
                self.budget.scanned(left)?;
                Ok(left == right)
            }
            (Held::List(left), Held::List(right)) => {
                if self.items(*left).len() != self.items(*right).len() {
                    return Ok(false);
                }
                self.budget.looks(self.items(*left).len())?;
                let (left, right) = (self.items(*left).to_vec(), self.items(*right).to_vec());
                self.all_equal(true, left.iter().zip(&right), depth)
            }
            (Held::Map(left), Held::Map(right)) => {
                if self.maps[*left].len() != self.maps[*right].len() {
                    return Ok(false);
                }
                self.budget.looks(4 * self.maps[*left].len())?;
                let (left, right) = (self.maps[*left].clone(), self.maps[*right].clone());
                let same = left.keys().all(|key| right.contains_key(key));
                self.all_equal(same, left.iter().filter_map(|(key, item)| Some((item, right.get(key)?))), depth)
            }
            _ => Ok(self.print(left)? == self.print(right)?),
        }
    }

    fn all_equal<'h>(
        &mut self,
        mut same: bool,
        pairs: impl Iterator<Item = (&'h Held, &'h Held)>,
        depth: usize,
    ) -> Eval<bool> {
        for (left, right) in pairs {
            same = same && self.equal_at(left, right, depth + 1)?;
            if !same {
                break;
            }
        }
        Ok(same)
    }
}
