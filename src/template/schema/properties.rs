//! Properties as written against a type's table. A value that a function gives is not known: only what the function can
//! give at all is checked, and every branch of `Fn::If`.

use super::super::intrinsics::{UNKNOWN, function};
use super::super::problem::Problem;
use super::super::reader::join;
use super::super::yaml::{Map, Node, Value};
use super::table::{Schema, Table, matches};

pub(super) struct Check<'t> {
    pub(super) table: &'t Table,
    pub(super) problems: Vec<Problem>,
}

/// What a function can give: `None` for anything.
fn gives(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "Fn::Sub" | "Fn::Join" | "Fn::Base64" | "Fn::ToJsonString" => Some(("s", "a string")),
        "Fn::Split" | "Fn::GetAZs" | "Fn::Cidr" => Some(("a", "a list")),
        "Fn::Length" => Some(("i", "an integer")),
        _ => None,
    }
}

impl Check<'_> {
    fn problem(&mut self, node: &Node, path: &str, what: impl Into<String>) {
        self.problems.push(Problem::new(node.at, path, what));
    }

    /// One value; `schema` may be a reference.
    pub(super) fn value(&mut self, schema: &Schema, node: &Node, path: &str) {
        let table = self.table;
        self.checked(table.resolve(schema), node, path);
    }

    fn checked(&mut self, schema: &Schema, node: &Node, path: &str) {
        if let Some((name, argument)) = function(node) {
            return self.given(schema, node, (name, &argument.node), path);
        }
        // In evaluated properties this stands for a value of any type.
        if node.as_str() == Some(UNKNOWN) {
            return;
        }
        match &node.value {
            // The template's reader refuses nulls.
            Value::Null => {}
            Value::Map(map) => {
                if self.is_a(schema, node, "o", path) {
                    self.object(schema, node, map, path);
                }
            }
            Value::List(list) => {
                if self.is_a(schema, node, "a", path) {
                    self.list(schema, node, list, path);
                }
            }
            _ => self.scalar(schema, node, path),
        }
        self.alternatives(schema, node, path);
    }

    fn given(&mut self, schema: &Schema, node: &Node, (name, argument): (&str, &Node), path: &str) {
        if name == "Fn::If" {
            let branches = argument.as_list().unwrap_or_default().iter().enumerate().skip(1);
            return branches.for_each(|(index, branch)| {
                self.checked(schema, branch, &join(&join(path, name), &index.to_string()))
            });
        }
        let Some((letter, what)) = gives(name).filter(|_| !schema.types.is_empty()) else { return };
        // Text becomes a number or boolean where one is taken, and JSON text an object.
        let taken = schema.types.contains(letter) || letter != "a" && schema.types.contains(['s', 'i', 'n', 'b', 'o']);
        if !taken {
            self.problem(node, path, format!("must be {}, and `{name}` gives {what}", names(&schema.types)));
        }
    }

    fn is_a(&mut self, schema: &Schema, node: &Node, letter: &str, path: &str) -> bool {
        let good = schema.types.is_empty() || schema.types.contains(letter);
        if !good {
            self.problem(node, path, format!("must be {}, not {}", names(&schema.types), node.kind()));
        }
        good
    }

    fn object(&mut self, schema: &Schema, node: &Node, map: &Map, path: &str) {
        for (key, entry) in map {
            let patterned = || {
                schema.pattern_properties.iter().find(|(pattern, _)| matches(pattern, key)).map(|(_, schema)| schema)
            };
            match schema.properties.get(key).or_else(patterned) {
                Some(property) => self.value(property, &entry.node, &join(path, key)),
                None if schema.closed && !key.starts_with("Fn::") => {
                    let settable = schema.properties.keys().filter(|name| !map.contains_key(name.as_str()));
                    let problem = Problem::new(entry.at, path, format!("unknown property `{key}`"));
                    self.problems.push(problem.near(key, settable.map(String::as_str)));
                }
                None => {}
            }
        }
        // With a function among the keys, others may come from it.
        if map.keys().any(|key| key.starts_with("Fn::")) {
            return;
        }
        for missing in schema.required.iter().filter(|name| !map.contains_key(name.as_str())) {
            self.problem(node, path, format!("`{missing}` is missing"));
        }
        self.together(schema, node, map, path);
    }

    /// Rules between properties.
    fn together(&mut self, schema: &Schema, node: &Node, map: &Map, path: &str) {
        // A property that a condition may leave out counts neither as there nor as missing.
        let certain = |name: &String| map.get(name.as_str()).is_some_and(|entry| !optional(&entry.node));
        let possible = |name: &String| map.contains_key(name.as_str());
        let one = &schema.required_one;
        if !one.is_empty() && !one.iter().any(possible) {
            self.problem(node, path, format!("one of {} is needed", one.join(", ")));
        }
        let both: Vec<&str> = one.iter().filter(|name| certain(name)).map(String::as_str).collect();
        if both.len() > 1 {
            self.problem(node, path, format!("only one of {} may be given", both.join(", ")));
        }
        if !schema.required_any.is_empty() && !schema.required_any.iter().any(possible) {
            self.problem(node, path, format!("at least one of {} is needed", schema.required_any.join(", ")));
        }
        for (name, others) in schema.dependent_required.iter().filter(|(name, _)| certain(name)) {
            for other in others.iter().filter(|other| !possible(other)) {
                self.problem(node, path, format!("`{name}` needs `{other}` too"));
            }
        }
        for (name, others) in schema.dependent_excluded.iter().filter(|(name, _)| certain(name)) {
            for other in others.iter().filter(|other| certain(other)) {
                self.problem(node, path, format!("`{name}` and `{other}` exclude each other"));
            }
        }
    }

    fn list(&mut self, schema: &Schema, node: &Node, list: &[Node], path: &str) {
        if let Some(items) = &schema.items {
            for (index, item) in list.iter().enumerate() {
                self.value(items, item, &join(path, &index.to_string()));
            }
        }
        // Elements that functions give may be several, or none.
        if list.iter().any(|item| function(item).is_some()) {
            return;
        }
        if let Some(least) = schema.min_items.filter(|least| list.len() < *least) {
            self.problem(node, path, format!("has {} elements: at least {least} are needed", list.len()));
        }
        if let Some(most) = schema.max_items.filter(|most| list.len() > *most) {
            self.problem(node, path, format!("has {} elements: at most {most} are allowed", list.len()));
        }
        let twice = |(index, item): (usize, &Node)| list[..index].iter().any(|other| other.to_json() == item.to_json());
        if schema.unique && list.iter().enumerate().any(twice) {
            self.problem(node, path, "has an element twice");
        }
    }

    /// Scalars are turned into each other as CloudFormation does it: `5` is taken for text, `"5"` for a number.
    fn scalar(&mut self, schema: &Schema, node: &Node, path: &str) {
        let Some(text) = node.scalar_text() else { return };
        if text.contains("{{resolve:") {
            return;
        }
        let types = schema.types.as_str();
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let fits = types.is_empty()
            || types.contains('s')
            || types.contains('n') && number.is_some()
            || types.contains('i') && number.is_some_and(|number| number.fract() == 0.0)
            || types.contains('b') && (text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"))
            || types.contains('o') && text.trim_start().starts_with('{');
        if !fits {
            let word = matches!(text.to_lowercase().as_str(), "yes" | "no" | "on" | "off");
            let hint = if types.contains('b') && word { " (write true or false)" } else { "" };
            return self.problem(node, path, format!("must be {}, not {}{hint}", names(types), node.kind()));
        }
        let shown = if text.chars().count() <= 60 { format!("`{text}`") } else { "the value".to_owned() };
        if !schema.values.is_empty() && !schema.values.contains(&text) {
            let problem = Problem::new(node.at, path, format!("{shown} is none of {}", listed(&schema.values)));
            return self.problems.push(problem.near(&text, schema.values.iter().map(String::as_str)));
        }
        let any_case = &schema.values_in_any_case;
        if !any_case.is_empty() && !any_case.iter().any(|value| value.eq_ignore_ascii_case(&text)) {
            let problem = Problem::new(node.at, path, format!("{shown} is none of {}", listed(any_case)));
            return self.problems.push(problem.near(&text, any_case.iter().map(String::as_str)));
        }
        if types.contains(['i', 'n']) && !types.contains('s') {
            if let Some(least) = schema.minimum.filter(|least| number.is_some_and(|number| number < *least)) {
                self.problem(node, path, format!("{shown} is less than {least}"));
            }
            if let Some(most) = schema.maximum.filter(|most| number.is_some_and(|number| number > *most)) {
                self.problem(node, path, format!("{shown} is more than {most}"));
            }
        }
        if types.contains('s') {
            self.text(schema, node, &text, path);
        }
    }

    fn text(&mut self, schema: &Schema, node: &Node, text: &str, path: &str) {
        let length = text.chars().count();
        if let Some(least) = schema.min_length.filter(|least| length < *least) {
            self.problem(node, path, format!("has {length} characters: at least {least} are needed"));
        }
        if let Some(most) = schema.max_length.filter(|most| length > *most) {
            self.problem(node, path, format!("has {length} characters: at most {most} are allowed"));
        }
        if let Some(pattern) = schema.pattern.as_ref().filter(|pattern| !matches(pattern, text)) {
            self.problem(node, path, format!("does not match {pattern}"));
        }
    }

    /// `anyOf` and `oneOf`: with values that are not known yet, more than one may fit, so one that fits is enough.
    fn alternatives(&mut self, schema: &Schema, node: &Node, path: &str) {
        for alternatives in [&schema.any_of, &schema.one_of] {
            let mut closest: Option<Vec<Problem>> = None;
            for alternative in alternatives {
                let mut attempt = Check { table: self.table, problems: Vec::new() };
                attempt.value(alternative, node, path);
                if closest.as_ref().is_none_or(|found| attempt.problems.len() < found.len()) {
                    closest = Some(attempt.problems);
                }
            }
            let Some(closest) = closest.filter(|closest| !closest.is_empty()) else { continue };
            let needed: Vec<String> = alternatives.iter().map(|one| one.required.join(" and ")).collect();
            if needed.iter().all(|needed| !needed.is_empty()) {
                self.problem(node, path, format!("needs {}", needed.join(", or ")));
            } else {
                self.problems.extend(closest);
            }
        }
    }
}

/// `!If [.., .., !Ref AWS::NoValue]`, in either branch.
fn optional(node: &Node) -> bool {
    match function(node) {
        Some(("Fn::If", argument)) => argument.node.as_list().unwrap_or_default().iter().skip(1).any(optional),
        Some(("Ref", argument)) => argument.node.as_str() == Some("AWS::NoValue"),
        _ => false,
    }
}

fn names(types: &str) -> String {
    let name = |letter| match letter {
        's' => "a string",
        'i' => "an integer",
        'n' => "a number",
        'b' => "a boolean",
        'a' => "a list",
        _ => "a mapping",
    };
    types.chars().map(name).collect::<Vec<_>>().join(" or ")
}

fn listed(values: &[String]) -> String {
    if values.len() <= 12 {
        values.join(", ")
    } else {
        format!("{}, … ({} values)", values[..12].join(", "), values.len())
    }
}
