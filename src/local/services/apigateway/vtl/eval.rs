//! Rendering a template.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::budget::Budget;
use super::heap::{Entries, Heap, Held};
use super::json_path::JsonPath;
use super::tree::{Expression, Macros, Node, Operator, Read, Reference, Step, Template};
use super::util::util;
use super::{methods, number, operators};

/// "#foreach: up to 1000 iterations", and the payload quota: 10 MB.
const MOST_ROUNDS: usize = 1000;
const MOST_OUTPUT: usize = 10 << 20;
/// A round of a loop, which sets `$foreach` and `$velocityCount`, takes as long as so many steps.
const ROUND_STEPS: usize = 4;
/// What macros, `#define` and `#evaluate` lead to can call itself (in Velocity, 20 macros deep). A level takes some of the
/// thread's stack.
const DEEPEST: usize = 150;

/// A request's parameters by place.
#[derive(Clone, Debug, Default)]
pub(in crate::services::apigateway) struct Params {
    pub path: Map<String, Value>,
    pub query: Map<String, Value>,
    pub header: Map<String, Value>,
}

/// What a template can refer to.
pub(in crate::services::apigateway) struct Inputs<'i> {
    pub body: &'i str,
    pub params: &'i Params,
    pub context: &'i Value,
    pub stage_variables: &'i Value,
}

struct Renderer<'i> {
    inputs: &'i Inputs<'i>,
    /// The body as JSON, read when first asked for.
    json: Option<Value>,
    variables: HashMap<String, Held>,
    /// What `#define` has put into variables.
    blocks: HashMap<String, Arc<[Node]>>,
    macros: Macros,
    heap: Heap,
    depth: usize,
    stopped: bool,
    broken: bool,
}

/// What a template makes: its text, and `$context` as the template left it (`$context.responseOverride`).
#[derive(Clone, Debug, PartialEq)]
pub(in crate::services::apigateway) struct Rendered {
    pub text: String,
    pub context: Option<Value>,
}

/// Renders a template.
///
/// # Errors
/// A template that runs wild or calls a function with something it cannot take; API Gateway then answers 500.
pub(in crate::services::apigateway) fn render(template: &Template, inputs: &Inputs<'_>) -> Result<Rendered, String> {
    let mut renderer = Renderer {
        inputs,
        json: None,
        variables: HashMap::new(),
        blocks: HashMap::new(),
        macros: template.macros.clone(),
        heap: Heap::new(Budget::for_body(inputs.body.len())),
        depth: 0,
        stopped: false,
        broken: false,
    };
    let mut text = String::new();
    renderer.nodes(&template.nodes, &mut text)?;
    let context = renderer.variables.remove("context");
    let context = context.map(|context| renderer.heap.value(&context)).transpose()?;
    Ok(Rendered { text, context })
}

pub(super) type Eval<T> = Result<T, String>;

impl Renderer<'_> {
    fn deeper<T>(&mut self, go: impl FnOnce(&mut Self) -> Eval<T>) -> Eval<T> {
        self.budget().steps(1)?;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the template leads too deep into itself".into());
        }
        let gone = go(self);
        self.depth -= 1;
        gone
    }

    fn budget(&mut self) -> &mut Budget {
        &mut self.heap.budget
    }

    fn nodes(&mut self, nodes: &[Node], out: &mut String) -> Eval<()> {
        for node in nodes {
            if self.stopped || self.broken {
                return Ok(());
            }
            if out.len() > MOST_OUTPUT {
                return Err("the template's output is too large".into());
            }
            self.deeper(|renderer| renderer.node(node, out))?;
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, out: &mut String) -> Eval<()> {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Reference(reference) => {
                let value = self.reference(reference)?;
                // What has no value leaves no trace: API Gateway does not print the reference itself, as Velocity would.
                if !value.is_null() {
                    let text = self.heap.print(&value)?;
                    self.budget().bytes(text.len())?;
                    out.push_str(&text);
                }
            }
            Node::Escaped(reference, source) => {
                let none = self.reference(reference)?.is_null();
                out.push_str(if none { "\\" } else { "" });
                out.push_str(source);
            }
            Node::Set { target, value } => {
                let value = self.expression(value)?;
                // What has no value leaves the variable as it was.
                if !value.is_null() {
                    self.assign(target, value)?;
                }
            }
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.holds(condition)? {
                        return self.nodes(body, out);
                    }
                }
                self.nodes(otherwise, out)?;
            }
            Node::ForEach { variable, list, body } => self.for_each(variable, list, body, out)?,
            Node::Define { variable, body } => {
                self.variables.remove(variable);
                self.blocks.insert(variable.clone(), body.clone());
            }
            Node::Call { name, arguments, source } => self.call(name, arguments, source, out)?,
            Node::Evaluate { text, depth } => self.evaluate(text, *depth, out)?,
            Node::Break => self.broken = true,
            Node::Stop => self.stopped = true,
        }
        Ok(())
    }

    /// Gives variables the values that they had before.
    fn restore(&mut self, before: Vec<(&str, Option<Held>)>) {
        for (name, value) in before {
            match value {
                Some(value) => self.variables.insert(name.to_owned(), value),
                None => self.variables.remove(name),
            };
        }
    }

    fn for_each(&mut self, variable: &str, list: &Expression, body: &[Node], out: &mut String) -> Eval<()> {
        let (items, count): (Vec<Held>, _) = match self.expression(list)? {
            Held::List(list) => {
                let items = self.heap.items(list);
                (items.iter().take(MOST_ROUNDS).cloned().collect(), items.len())
            }
            Held::Map(map) => {
                let entries = self.heap.entries(map);
                (entries.values().take(MOST_ROUNDS).cloned().collect(), entries.len())
            }
            _ => (Vec::new(), 0),
        };
        let own = [variable, "foreach", "velocityCount"];
        let before = own.map(|name| (name, self.variables.get(name).cloned()));
        let parent = before[1].1.clone().unwrap_or(Held::Null);
        let topmost = self.heap.property(&parent, "topmost");
        let state = self.heap.map(Entries::new())?;
        let Held::Map(entries) = state else { return Ok(()) };
        self.heap.put(entries, "topmost", if parent.is_null() { state.clone() } else { topmost })?;
        self.heap.put(entries, "parent", parent)?;
        for (index, item) in items.into_iter().enumerate() {
            self.budget().steps(ROUND_STEPS)?;
            let (first, last) = (index == 0, index + 1 == count);
            self.heap.put(entries, "index", index.into())?;
            self.heap.put(entries, "count", (index + 1).into())?;
            for (name, holds) in [("first", first), ("last", last), ("hasNext", !last)] {
                self.heap.put(entries, name, Held::Bool(holds))?;
            }
            for (name, value) in own.into_iter().zip([item, state.clone(), (index + 1).into()]) {
                self.variables.insert(name.to_owned(), value);
            }
            self.nodes(body, out)?;
            if std::mem::take(&mut self.broken) || self.stopped {
                break;
            }
        }
        self.restore(before.into());
        Ok(())
    }

    /// Arguments are given by value; what else a macro sets, it sets for all.
    fn call(&mut self, name: &str, arguments: &[Expression], source: &str, out: &mut String) -> Eval<()> {
        let Some(called) = self.macros.get(name).cloned() else {
            out.push_str(source);
            return Ok(());
        };
        let mut arguments = self.all(arguments)?.into_iter();
        let mut before = Vec::new();
        for parameter in &called.parameters {
            let value = arguments.next().unwrap_or(Held::Null);
            before.push((parameter.as_str(), self.variables.insert(parameter.clone(), value)));
        }
        let rendered = self.nodes(&called.body, out);
        self.restore(before);
        rendered
    }

    fn evaluate(&mut self, text: &Expression, depth: usize, out: &mut String) -> Eval<()> {
        let text = self.expression(text)?;
        let text = self.heap.print(&text)?;
        // Reading a template costs more than making its text.
        self.budget().bytes(16 * text.len())?;
        let template =
            Template::parse_within(&text, 1, depth).map_err(|why| format!("in #evaluate, {}", why.into_text()))?;
        self.macros.extend(template.macros);
        self.nodes(&template.nodes, out)
    }

    /// Sets what there is a place for. Only under `$context` places are made, for `$context.responseOverride` and its like.
    fn assign(&mut self, target: &Reference, value: Held) -> Eval<()> {
        let Some((last, path)) = target.steps.split_last() else {
            self.blocks.remove(&target.name);
            self.variables.insert(target.name.clone(), value);
            return Ok(());
        };
        let mut place = self.variable(&target.name)?;
        for step in path {
            let mut next = self.step(&place, step)?;
            if next.is_null() && target.name == "context" {
                next = self.heap.map(Entries::new())?;
                self.put(&place, step, next.clone())?;
            }
            place = next;
        }
        self.put(&place, last, value)
    }

    fn put(&mut self, place: &Held, step: &Step, value: Held) -> Eval<()> {
        let key = match step {
            Step::Property(name) => Held::Text(name.as_str().into()),
            Step::Index(index) => self.expression(index)?,
            Step::Method(name, ..) => return Err(format!("#set cannot set the result of {name}()")),
        };
        match place {
            Held::Map(map) => {
                let key = self.heap.print(&key)?;
                self.heap.put(*map, &key, value)?;
            }
            Held::List(list) => {
                let Some(index) = key.as_index() else { return Ok(()) };
                let index = self.heap.place(*list, index);
                methods::call(&mut self.heap, place, "set", &[index.into(), value], None)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What a name stands for.
    fn variable(&mut self, name: &str) -> Eval<Held> {
        if let Some(value) = self.variables.get(name) {
            return Ok(value.clone());
        }
        if let Some(block) = self.blocks.get(name).cloned() {
            let mut text = String::new();
            self.nodes(&block, &mut text)?;
            return self.heap.text(&text);
        }
        let made = match name {
            "context" => self.heap.json(&context(self.inputs.context))?,
            "stageVariables" => self.heap.json(self.inputs.stage_variables)?,
            _ => return Ok(Held::Null),
        };
        self.variables.insert(name.to_owned(), made.clone());
        Ok(made)
    }

    fn reference(&mut self, reference: &Reference) -> Eval<Held> {
        let (mut value, steps) = match (reference.name.as_str(), reference.steps.as_slice()) {
            ("input", [first, rest @ ..]) => (self.input(first)?, rest),
            ("util", [Step::Method(name, arguments, _), rest @ ..]) => {
                let arguments = self.all(arguments)?;
                (util(&mut self.heap, name, arguments.first().unwrap_or(&Held::Null))?, rest)
            }
            (name, steps) => (self.variable(name)?, steps),
        };
        for step in steps {
            if value.is_null() {
                break;
            }
            self.budget().steps(1)?;
            value = self.step(&value, step)?;
        }
        Ok(value)
    }

    fn step(&mut self, value: &Held, step: &Step) -> Eval<Held> {
        match step {
            Step::Property(name) => Ok(self.heap.property(value, name)),
            Step::Index(index) => {
                let index = self.expression(index)?;
                self.heap.element(value, &index)
            }
            Step::Method(name, arguments, read) => {
                let arguments = self.all(arguments)?;
                methods::call(&mut self.heap, value, name, &arguments, read.as_ref())
            }
        }
    }

    fn select(&mut self, path: &Held, read: Option<&Read>) -> Eval<Option<Value>> {
        let made;
        let path = match read {
            Some(Read::Path(path)) => path,
            _ => {
                let text = self.heap.print(path)?;
                self.budget().looks(text.len())?;
                made = JsonPath::parse(&text)?;
                &made
            }
        };
        let body = self.inputs.body;
        let body = self.json.get_or_insert_with(|| match serde_json::from_str(body) {
            Ok(json) => json,
            Err(_) if body.trim().is_empty() => json!({}),
            Err(_) => Value::String(body.to_owned()),
        });
        path.select(body, &mut self.heap.budget)
    }

    fn input(&mut self, step: &Step) -> Eval<Held> {
        let (name, arguments, read) = match step {
            Step::Property(_) => {
                // An empty body is an empty document.
                let body = self.inputs.body;
                return self.heap.text(if body.is_empty() { "{}" } else { body });
            }
            Step::Method(name, arguments, read) => (name.as_str(), self.all(arguments)?, read.as_ref()),
            Step::Index(_) => return Ok(Held::Null),
        };
        let params = self.inputs.params;
        match (name, arguments.as_slice()) {
            ("json", [path]) => {
                let found = self.select(path, read)?;
                self.heap.text(&found.map_or_else(|| "\"\"".to_owned(), |value| value.to_string()))
            }
            ("path", [path]) => {
                let found = self.select(path, read)?;
                self.heap.json(&found.unwrap_or_else(|| json!("")))
            }
            ("params", []) => {
                let places = [("path", &params.path), ("querystring", &params.query), ("header", &params.header)];
                let mut entries = Entries::new();
                for (place, values) in places {
                    entries.insert(Rc::from(place), self.heap.json(&Value::Object(values.clone()))?);
                }
                self.heap.map(entries)
            }
            ("params", [name]) => {
                let name = self.heap.print(name)?;
                let header =
                    || params.header.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name)).map(|(_, value)| value);
                let found = params.path.get(&name).or_else(|| params.query.get(&name)).or_else(header);
                self.heap.json(found.unwrap_or(&json!("")))
            }
            _ => Err(format!("$input.{name}() takes other arguments")),
        }
    }

    fn all(&mut self, expressions: &[Expression]) -> Eval<Vec<Held>> {
        let mut values = Vec::with_capacity(expressions.len());
        for expression in expressions {
            values.push(self.expression(expression)?);
        }
        Ok(values)
    }

    /// Whether an expression is true as a condition.
    fn holds(&mut self, condition: &Expression) -> Eval<bool> {
        Ok(self.expression(condition)?.is_true() && condition.is_condition())
    }

    /// Two values and what an operator makes of them. To `+`, beside a text, what has no value is what is written there.
    fn binary(&mut self, operator: Operator, left: &Expression, right: &Expression) -> Eval<Held> {
        let (mut first, mut second) = (self.expression(left)?, self.expression(right)?);
        match (operator, &first, &second, left, right) {
            (Operator::Add, Held::Null, Held::Text(_), Expression::Summand(_, source), _) => {
                first = self.heap.text(source)?
            }
            (Operator::Add, Held::Text(_), Held::Null, _, Expression::Summand(_, source)) => {
                second = self.heap.text(source)?;
            }
            _ => {}
        }
        operators::binary(&mut self.heap, operator, &first, &second)
    }

    fn expression(&mut self, expression: &Expression) -> Eval<Held> {
        self.deeper(|renderer| renderer.value(expression))
    }

    fn value(&mut self, expression: &Expression) -> Eval<Held> {
        match expression {
            Expression::Literal(value) => self.heap.json(value),
            Expression::Text(nodes) => {
                let mut text = String::new();
                self.nodes(nodes, &mut text)?;
                self.heap.text(&text)
            }
            Expression::Reference(reference) | Expression::Summand(reference, _) => self.reference(reference),
            Expression::List(items) => {
                let items = self.all(items)?;
                self.heap.list(items)
            }
            Expression::Range(first, last) => {
                let (first, last) = (self.expression(first)?, self.expression(last)?);
                // What is no number ends nothing, though it may look like one.
                let Some((first, last)) = first.as_number().zip(last.as_number()) else { return Ok(Held::Null) };
                self.heap.list(range(number::int(first).into(), number::int(last).into()))
            }
            Expression::Map(entries) => {
                let mut map = Entries::new();
                for (key, value) in entries {
                    let key = self.expression(key)?;
                    map.insert(self.heap.print(&key)?.into(), self.expression(value)?);
                }
                self.heap.map(map)
            }
            Expression::Not(inner) => Ok(Held::Bool(!self.holds(inner)?)),
            Expression::Binary(Operator::Or, left, right) => Ok(Held::Bool(self.holds(left)? || self.holds(right)?)),
            Expression::Binary(Operator::And, left, right) => Ok(Held::Bool(self.holds(left)? && self.holds(right)?)),
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right),
        }
    }
}

/// `$context` of a template: what is not known of the caller is an empty text there, so that a loop over it has all names.
fn context(inputs: &Value) -> Value {
    let mut context = inputs.clone();
    let identity = context.get_mut("identity").and_then(Value::as_object_mut);
    for value in identity.into_iter().flat_map(Map::values_mut).filter(|value| value.is_null()) {
        *value = json!("");
    }
    context
}

/// From the first to the last, up or down, as far as a loop goes.
fn range(first: i64, last: i64) -> Vec<Held> {
    if first <= last {
        (first..=last).take(MOST_ROUNDS).map(Held::from).collect()
    } else {
        (last..=first).rev().take(MOST_ROUNDS).map(Held::from).collect()
    }
}
