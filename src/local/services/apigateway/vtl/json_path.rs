//! The JSON paths of `$input.json(…)`, `$input.path(…)` and mappings: `$`, `.name`, `['name']`, `[0]`, `[-1]`, `[0,2]`,
//! `[1:3]`, `[*]`, `.*`, `..name`, `[?(@.price < 10)]`, `['a','b']` and `.length()` at the end.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::budget::Budget;
use super::eval::Eval;
use super::json_filter::Filter;

/// As much of a path as an error shows.
const SHOWN: usize = 300;

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    /// An object of these members.
    Keys(Vec<String>),
    Index(i64),
    Indices(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    Every,
    Filter(Filter),
    /// The value and all that is in it.
    Deep,
    Length,
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::services::apigateway) struct JsonPath(Vec<Step>);

impl JsonPath {
    pub(in crate::services::apigateway) fn parse(text: &str) -> Result<Self, String> {
        JsonPath::parse_at(text, 0).map_err(|what| format!("the JSON path {}: {what}", shown(text)))
    }

    /// A path that stands in a filter, in so many brackets of filters.
    pub(super) fn parse_at(text: &str, depth: usize) -> Result<Self, String> {
        // API Gateway takes a path without its `$` as one from the root.
        let text = text.trim();
        steps(text.strip_prefix('$').unwrap_or(text), depth).map(JsonPath)
    }

    /// What the path selects; a path that can select many selects a list.
    ///
    /// # Errors
    /// The path leads through more values than the budget has left.
    pub(in crate::services::apigateway) fn select(
        &self,
        root: &Value,
        budget: &mut Budget,
    ) -> Result<Option<Value>, String> {
        Ok(self.selected(root, budget)?.map(Cow::into_owned))
    }

    /// The same, where it is.
    pub(super) fn selected<'v>(&self, root: &'v Value, budget: &mut Budget) -> Eval<Option<Cow<'v, Value>>> {
        let mut found = vec![root];
        for step in &self.0 {
            match step {
                Step::Length => return Ok(found.pop().and_then(length).map(Cow::Owned)),
                Step::Keys(keys) => return Ok(members(found.pop(), keys, budget)?.map(Cow::Owned)),
                step => {
                    let mut next = Vec::new();
                    for value in found {
                        take(value, step, &mut next, budget)?;
                    }
                    found = next;
                }
            }
        }
        if self.is_definite() {
            return Ok(found.pop().map(Cow::Borrowed));
        }
        for value in &found {
            weigh(value, budget)?;
        }
        Ok(Some(Cow::Owned(Value::Array(found.into_iter().cloned().collect()))))
    }

    fn is_definite(&self) -> bool {
        self.0.iter().all(|step| matches!(step, Step::Key(_) | Step::Index(_) | Step::Keys(_) | Step::Length))
    }
}

/// A path without its `$`.
fn steps(mut rest: &str, depth: usize) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if matches!(steps.last(), Some(Step::Keys(_) | Step::Length)) {
            return Err("nothing can follow several names, or a function".into());
        }
        if let Some(after) = rest.strip_prefix("..") {
            if steps.contains(&Step::Deep) {
                return Err("'..' is supported once".into());
            }
            steps.push(Step::Deep);
            rest = after;
            if rest.is_empty() {
                return Err("a name is missing".into());
            }
            if !rest.starts_with('[') {
                rest = name(rest, &mut steps)?;
            }
        } else if let Some(after) = rest.strip_prefix('[') {
            let (step, after) = bracket(after, depth)?;
            steps.push(step);
            rest = after;
        } else {
            rest = name(rest.strip_prefix('.').unwrap_or(rest), &mut steps)?;
        }
    }
    let many = steps
        .iter()
        .any(|step| matches!(step, Step::Deep | Step::Every | Step::Filter(_) | Step::Slice(..) | Step::Indices(_)));
    if many && matches!(steps.last(), Some(Step::Keys(_) | Step::Length)) {
        return Err("several names, or a function, of what can be many".into());
    }
    Ok(steps)
}

/// `name`, `*` or `length()`; what follows is given back.
fn name<'t>(rest: &'t str, steps: &mut Vec<Step>) -> Result<&'t str, String> {
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    steps.push(match &rest[..end] {
        "" => return Err("a name is missing".into()),
        "*" => Step::Every,
        "length()" | "size()" => Step::Length,
        name if name.contains(['(', '?', '@']) => return Err(format!("the function {name} is not supported")),
        name => Step::Key(name.to_owned()),
    });
    Ok(&rest[end..])
}

/// What stands in brackets, after the first one; and what follows the last.
fn bracket(rest: &str, depth: usize) -> Result<(Step, &str), String> {
    let rest = rest.trim_start();
    if let Some(filter) = rest.strip_prefix('?') {
        let (filter, rest) = Filter::parse(filter, depth)?;
        return Ok((Step::Filter(filter), closed(rest)?));
    }
    if rest.starts_with(['\'', '"']) {
        let (mut names, mut rest) = (Vec::new(), rest);
        loop {
            let (name, after) = quoted(rest.trim_start())?;
            names.push(name);
            match after.trim_start().strip_prefix(',') {
                Some(after) => rest = after,
                None if names.len() == 1 => return Ok((Step::Key(names.remove(0)), closed(after)?)),
                None => return Ok((Step::Keys(names), closed(after)?)),
            }
        }
    }
    let (inner, rest) = rest.split_once(']').ok_or("']' is missing")?;
    let number =
        |text: &str| text.trim().parse::<i64>().map_err(|_| format!("{:?} is not supported in brackets", shown(inner)));
    let optional = |text: &str| if text.trim().is_empty() { Ok(None) } else { number(text).map(Some) };
    let step = match (inner.trim(), inner.split_once(':')) {
        ("*", _) => Step::Every,
        (_, Some((from, to))) => Step::Slice(optional(from)?, optional(to)?),
        _ if inner.contains(',') => Step::Indices(inner.split(',').map(number).collect::<Result<_, _>>()?),
        _ => Step::Index(number(inner)?),
    };
    Ok((step, rest))
}

fn closed(rest: &str) -> Result<&str, String> {
    rest.trim_start().strip_prefix(']').ok_or_else(|| "']' is missing".into())
}

/// A text in either kind of quotes, where a backslash takes the meaning from what follows it.
pub(super) fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, quote)| quote).filter(|quote| ['\'', '"'].contains(quote));
    let quote = quote.ok_or("a name in quotes is missing")?;
    let mut out = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => out.extend(chars.next().map(|(_, escaped)| escaped)),
            c if c == quote => return Ok((out, &text[at + c.len_utf8()..])),
            c => out.push(c),
        }
    }
    Err("a closing quote is missing".into())
}

fn length(value: &Value) -> Option<Value> {
    match value {
        Value::Array(list) => Some(list.len().into()),
        Value::Object(map) => Some(map.len().into()),
        Value::String(text) => Some(text.encode_utf16().count().into()),
        _ => None,
    }
}

fn members(value: Option<&Value>, keys: &[String], budget: &mut Budget) -> Eval<Option<Value>> {
    let Some(map) = value.and_then(Value::as_object) else { return Ok(None) };
    let mut found = Map::new();
    for (key, value) in keys.iter().filter_map(|key| Some((key, map.get(key)?))) {
        weigh(value, budget)?;
        found.insert(key.clone(), value.clone());
    }
    Ok(Some(Value::Object(found)))
}

/// A value and all that is in it are copied.
fn weigh(value: &Value, budget: &mut Budget) -> Eval<()> {
    budget.looks(1)?;
    match value {
        Value::Array(list) => list.iter().try_for_each(|item| weigh(item, budget)),
        Value::Object(map) => map.values().try_for_each(|item| weigh(item, budget)),
        Value::String(text) => budget.looks(text.len() / 16),
        _ => Ok(()),
    }
}

/// The beginning of a text, for an error.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A place in a list; a negative one counts from its end.
fn place(index: i64, length: usize) -> Option<usize> {
    let distance = usize::try_from(index.unsigned_abs()).ok()?;
    if index < 0 { length.checked_sub(distance) } else { Some(distance) }
}

/// Adds to `found` where a step leads from a value.
fn take<'v>(value: &'v Value, step: &Step, found: &mut Vec<&'v Value>, budget: &mut Budget) -> Eval<()> {
    let at = |list: &'v [Value], index: i64| place(index, list.len()).and_then(|index| list.get(index));
    let before = found.len();
    budget.looks(1)?;
    match (step, value) {
        (Step::Key(key), Value::Object(map)) => found.extend(map.get(key)),
        (Step::Index(index), Value::Array(list)) => found.extend(at(list, *index)),
        (Step::Indices(indices), Value::Array(list)) => {
            // The only step that leads to the same value again and again.
            budget.bytes(size_of::<&Value>() * indices.len())?;
            found.extend(indices.iter().filter_map(|index| at(list, *index)));
        }
        (Step::Slice(from, to), Value::Array(list)) => {
            let bound = |bound: Option<i64>, default| {
                bound.map_or(default, |index| place(index, list.len()).unwrap_or(0).min(list.len()))
            };
            let (from, to) = (bound(*from, 0), bound(*to, list.len()));
            found.extend(list.get(from..to).unwrap_or_default());
        }
        (Step::Every, Value::Array(list)) => found.extend(list),
        (Step::Every, Value::Object(map)) => found.extend(map.values()),
        (Step::Filter(filter), Value::Array(_) | Value::Object(_)) => {
            let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for item in items {
                if filter.holds(item, budget)? {
                    found.push(item);
                }
            }
        }
        (Step::Deep, value) => everything(value, found, budget)?,
        _ => {}
    }
    budget.looks(found.len() - before)
}

fn everything<'v>(value: &'v Value, found: &mut Vec<&'v Value>, budget: &mut Budget) -> Eval<()> {
    budget.looks(1)?;
    found.push(value);
    match value {
        Value::Array(list) => list.iter().try_for_each(|item| everything(item, found, budget)),
        Value::Object(map) => map.values().try_for_each(|item| everything(item, found, budget)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn select(path: &str, root: &Value) -> Option<Value> {
        JsonPath::parse(path).unwrap().select(root, &mut Budget::for_body(0)).unwrap()
    }

    #[test]
    fn paths_select_what_they_name() {
        let store = json!({"store": {
            "book": [
                {"title": "A", "price": 8.95, "isbn": "1", "tags": ["x"]},
                {"title": "B", "price": 12},
                {"title": "C", "price": 22.99, "isbn": "3"},
            ],
            "bicycle": {"color": "red", "price": 20}, "a.b": {"c]": 1},
        }});
        let cases = [
            ("$.store.bicycle.color", json!("red")),
            ("store.bicycle.color", json!("red")),
            ("$['store']['a.b'][\"c]\"]", json!(1)),
            ("$.store.book[-1].title", json!("C")),
            ("$.store.book[0,2].title", json!(["A", "C"])),
            ("$.store.book[1:].title", json!(["B", "C"])),
            ("$.store.book[:-1].title", json!(["A", "B"])),
            ("$.store.book[-2:].title", json!(["B", "C"])),
            ("$.store.book[*].price", json!([8.95, 12, 22.99])),
            ("$.store.bicycle.*", json!(["red", 20])),
            ("$..price", json!([8.95, 12, 22.99, 20])),
            ("$..book[0].title", json!(["A"])),
            ("$..nothing", json!([])),
            ("$.store.book.length()", json!(3)),
            ("$.store.bicycle['color', 'price', 'none']", json!({"color": "red", "price": 20})),
            ("$.store.book[?(@.price < 10)].title", json!(["A"])),
            ("$.store.book[?(@.isbn)].title", json!(["A", "C"])),
            ("$.store.book[?(!@.isbn)].title", json!(["B"])),
            ("$.store.book[?(@.title == 'B' || @['price'] >= 22.99 && @.isbn != \"1\")].title", json!(["B", "C"])),
            ("$.store.book[?((@.title == 'A' || @.title == 'B') && @.tags[0] == 'x')].title", json!(["A"])),
            ("$.store.book[?(@.price == 12.0)].title", json!(["B"])),
            ("$.store.book[?(@.tags[?(@ == 'x')] == @.tags)].title", json!(["A"])),
            ("$.store.book[?(@.tags == @.none)].title", json!([])),
        ];
        for (path, expected) in cases {
            assert_eq!(select(path, &store), Some(expected), "{path}");
        }
        for path in
            ["$.none", "$.store.book[3]", "$.store.book[-9223372036854775808]", "$.store.book.title", "$.store.none.x"]
        {
            assert_eq!(select(path, &store), None, "{path}");
        }
    }

    #[test]
    fn what_is_broken_or_not_known_is_refused_with_the_path() {
        let deep = format!("$[?({}@.a{})]", "(".repeat(100), ")".repeat(100));
        for path in [
            "$.",
            "$..",
            "$[",
            "$['a",
            "$[x]",
            "$.a.sum()",
            "$..a..b",
            "$['a','b'].c",
            "$[?(@.a =~ /x/)]",
            "$[?(@.a <)]",
            "$[?(",
            "$[?()]",
            "$..a.length()",
            &deep,
        ] {
            let error = JsonPath::parse(path).unwrap_err();
            assert!(error.starts_with(&format!("the JSON path {path}: ")), "{error}");
        }
    }

    #[test]
    fn whole_numbers_are_not_taken_for_their_neighbours() {
        let ids = json!([{"id": 9_007_199_254_740_993_i64}, {"id": 9_007_199_254_740_992_i64}, {"id": u64::MAX}]);
        let found = |path| select(path, &ids).unwrap();
        assert_eq!(found("$[?(@.id == 9007199254740992)]"), json!([ids[1]]));
        assert_eq!(found("$[?(@.id > 9007199254740992)]"), json!([ids[0], ids[2]]));
        assert_eq!(found("$[?(@ == @)].id").as_array().unwrap().len(), 3);
    }

    #[test]
    fn a_filter_in_a_filter_counts_as_deep_as_it_stands() {
        let nested = |levels: usize| format!("${}.a{}", "[?(@".repeat(levels), ")]".repeat(levels));
        assert!(JsonPath::parse(&nested(32)).is_ok());
        for levels in [33, 5000] {
            let error = JsonPath::parse(&nested(levels)).unwrap_err();
            assert!(error.contains("the filter is nested too deeply") && error.len() < 1000, "{error}");
        }
    }

    #[test]
    fn a_walk_that_does_not_end_is_given_up() {
        let many = Value::Array((0..20_000).map(Value::from).collect());
        let twice = (0..60).fold(json!(1), |inner, _| json!([inner]));
        for (path, root) in [("$..[?(@..x)]", json!([[many]])), (&format!("${}", "[0,0]".repeat(60)), twice)] {
            let path = JsonPath::parse(path).unwrap();
            let mut budget = Budget::for_body(0);
            assert!((0..1000).any(|_| path.select(&root, &mut budget).is_err()), "{path:?}");
        }
    }
}
