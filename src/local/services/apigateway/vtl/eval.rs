//! Rendering a template.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::JsonPath;
use super::budget::{Budget, DEEPEST};
use super::parse::{Expression, Node, Operator, Reference, Step, Template};
use super::values::{binary, element, integer, is_true, method, print, property, util, walk};

/// "#foreach: up to 1000 iterations", and the payload quota: 10 MB.
const MOST_ROUNDS: usize = 1000;
const MOST_OUTPUT: usize = 10 << 20;
/// A round of a loop, which makes `$foreach` and `$velocityCount`, takes as long as so many steps.
const ROUND_STEPS: usize = 4;

/// A request's parameters by place.
#[derive(Clone, Debug, Default)]
pub(in crate::local::services::apigateway) struct Params {
    pub path: Map<String, Value>,
    pub query: Map<String, Value>,
    pub header: Map<String, Value>,
}

/// What a template can refer to.
pub(in crate::local::services::apigateway) struct Inputs<'i> {
    pub body: &'i str,
    pub params: &'i Params,
    pub context: &'i Value,
    pub stage_variables: &'i Value,
}

struct Renderer<'i> {
    inputs: &'i Inputs<'i>,
    /// The body as JSON, read when first asked for.
    json: Option<Value>,
    /// Shared for as long as one is looked at.
    variables: HashMap<String, Rc<Value>>,
    budget: Budget,
    stopped: bool,
    broken: bool,
}

/// What a template makes: its text, and `$context` as far as the template changed it (`$context.responseOverride`).
#[derive(Clone, Debug, PartialEq)]
pub(in crate::local::services::apigateway) struct Rendered {
    pub text: String,
    pub context: Option<Value>,
}

/// Renders a template.
///
/// # Errors
/// A template that runs wild or calls a function with something it cannot take; API Gateway then answers 500.
pub(in crate::local::services::apigateway) fn render(
    template: &Template,
    inputs: &Inputs<'_>,
) -> Result<Rendered, String> {
    let budget = Budget::for_body(inputs.body.len());
    let mut renderer =
        Renderer { inputs, json: None, variables: HashMap::new(), budget, stopped: false, broken: false };
    let mut out = String::new();
    renderer.nodes(&template.0, &mut out)?;
    Ok(Rendered { text: out, context: renderer.variables.remove("context").map(Rc::unwrap_or_clone) })
}

pub(super) type Eval<T> = Result<T, String>;

impl<'i> Renderer<'i> {
    fn nodes(&mut self, nodes: &[Node], out: &mut String) -> Eval<()> {
        for node in nodes {
            if self.stopped || self.broken {
                return Ok(());
            }
            if out.len() > MOST_OUTPUT {
                return Err("the template's output is too large".into());
            }
            self.node(node, out)?;
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, out: &mut String) -> Eval<()> {
        self.budget.steps(1)?;
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Reference(reference) => match self.lend(reference, |value| value.map(print))? {
                Some(text) => {
                    self.budget.bytes(text.len())?;
                    out.push_str(&text);
                }
                None if reference.quiet => {}
                None => out.push_str(&reference.source),
            },
            Node::Set { target, value } => {
                let value = self.expression(value)?;
                self.assign(target, value)?;
            }
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.truth(condition)? {
                        return self.nodes(body, out);
                    }
                }
                self.nodes(otherwise, out)?;
            }
            Node::ForEach { variable, list, body } => self.for_each(variable, list, body, out)?,
            Node::Break => self.broken = true,
            Node::Stop => self.stopped = true,
        }
        Ok(())
    }

    fn for_each(&mut self, variable: &str, list: &Expression, body: &[Node], out: &mut String) -> Eval<()> {
        let items = match self.expression(list)? {
            Value::Array(items) => items,
            Value::Object(map) => map.into_iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        };
        let outer = (self.variables.get(variable).cloned(), self.variables.get("foreach").cloned());
        let count = items.len();
        for (index, item) in items.into_iter().enumerate().take(MOST_ROUNDS) {
            self.budget.steps(ROUND_STEPS)?;
            self.variables.insert(variable.to_owned(), Rc::new(item));
            let state = json!({"index": index, "count": index + 1, "hasNext": index + 1 < count, "first": index == 0, "last": index + 1 == count});
            self.variables.insert("velocityCount".into(), Rc::new(json!(index + 1)));
            self.variables.insert("foreach".into(), Rc::new(state));
            self.nodes(body, out)?;
            if std::mem::take(&mut self.broken) || self.stopped {
                break;
            }
        }
        let mut restore = |name: &str, value: Option<Rc<Value>>| match value {
            Some(value) => self.variables.insert(name.to_owned(), value),
            None => self.variables.remove(name),
        };
        restore(variable, outer.0);
        restore("foreach", outer.1);
        Ok(())
    }

    fn assign(&mut self, target: &Reference, value: Value) -> Eval<()> {
        if target.steps.len() > DEEPEST {
            return Err("#set goes too deep".into());
        }
        self.budget.steps(target.steps.len())?;
        let mut keys = Vec::new();
        for step in &target.steps {
            keys.push(match step {
                Step::Property(name) => Value::String(name.clone()),
                Step::Index(index) => self.expression(index)?,
                Step::Method(name, _) => return Err(format!("#set cannot set the result of {name}()")),
            });
        }
        let fresh = || Rc::new(if target.name == "context" { self.inputs.context.clone() } else { Value::Null });
        let root = Rc::make_mut(self.variables.entry(target.name.clone()).or_insert_with(fresh));
        if let Some(place) = walk(root, &keys, true) {
            *place = value;
        }
        Ok(())
    }

    /// Lends what a reference leads to: what is only looked at is not copied.
    fn lend<R>(&mut self, reference: &Reference, look: impl FnOnce(Option<&Value>) -> R) -> Eval<R> {
        let name = reference.name.as_str();
        let variable = self.variables.contains_key(name);
        if !variable && ["input", "util", "context", "stageVariables"].contains(&name) {
            return Ok(look(self.built_in(reference)?.as_deref()));
        }
        if let Some(changed) = self.change_in_place(reference)? {
            return Ok(look(Some(&changed)));
        }
        match self.variables.get(name).cloned() {
            Some(root) => Ok(look(self.follow(&root, &reference.steps)?.as_deref())),
            None => Ok(look(None)),
        }
    }

    /// Goes on from `value`, step by step.
    fn follow<'v>(&mut self, value: &'v Value, steps: &[Step]) -> Eval<Option<Cow<'v, Value>>> {
        let mut value = Cow::Borrowed(value);
        for step in steps {
            self.budget.steps(1)?;
            let next = match step {
                Step::Property(name) => part(value, |on| property(on, name)),
                Step::Index(index) => {
                    let index = self.expression(index)?;
                    part(value, |on| element(on, &index))
                }
                Step::Method(name, arguments) => {
                    let arguments = self.all(arguments)?;
                    match (name.as_str(), arguments.as_slice(), &*value) {
                        ("get", [index], Value::Array(_) | Value::Object(_)) => part(value, |on| element(on, index)),
                        _ => {
                            let made = method(&value, name, &arguments, &mut self.budget)?;
                            made.iter().try_for_each(|made| self.budget.made(made))?;
                            made.map(Cow::Owned)
                        }
                    }
                }
            };
            match next {
                Some(next) => value = next,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }

    /// `$list.add(x)`, `$map.put(k, v)`, `….remove(k)`: the only methods that change what they are called on.
    fn change_in_place(&mut self, reference: &Reference) -> Eval<Option<Value>> {
        let Some((Step::Method(name, arguments), path)) = reference.steps.split_last() else { return Ok(None) };
        if !["add", "put", "remove"].contains(&name.as_str()) {
            return Ok(None);
        }
        let arguments = self.all(arguments)?;
        let mut keys = Vec::new();
        for step in path {
            keys.push(match step {
                Step::Property(name) => Value::String(name.clone()),
                Step::Index(index) => self.expression(index)?,
                Step::Method(method, _) => return Err(format!("{name}() on the result of {method}()")),
            });
        }
        let root = self.variables.get_mut(&reference.name);
        let Some(place) = root.and_then(|root| walk(Rc::make_mut(root), &keys, false)) else {
            return Ok(None);
        };
        Ok(Some(match (place, name.as_str(), arguments.as_slice()) {
            (Value::Array(list), "add", [item]) => {
                list.push(item.clone());
                Value::Bool(true)
            }
            (Value::Object(map), "put", [key, value]) => {
                map.insert(print(key), value.clone()).unwrap_or(Value::String(String::new()))
            }
            (Value::Object(map), "remove", [key]) => map.remove(&print(key)).unwrap_or(Value::Null),
            _ => return Err(format!("{name}() cannot be called there")),
        }))
    }

    fn built_in(&mut self, reference: &Reference) -> Eval<Option<Cow<'i, Value>>> {
        let inputs = self.inputs;
        let steps = reference.steps.as_slice();
        let rest = steps.get(1..).unwrap_or_default();
        let made = match (reference.name.as_str(), steps.first()) {
            ("context" | "stageVariables", first) => {
                let root = if reference.name == "context" { inputs.context } else { inputs.stage_variables };
                let found = self.follow(root, steps)?;
                // An unknown variable of the context is empty, not its own name.
                return Ok(match found.filter(|value| !value.is_null()) {
                    None if first.is_some() => Some(Cow::Owned(json!(""))),
                    found => found,
                });
            }
            ("input", Some(Step::Property(name))) if name == "body" => Value::String(inputs.body.to_owned()),
            ("input", Some(Step::Method(name, arguments))) => {
                let arguments = self.all(arguments)?;
                self.input(name, &arguments)?
            }
            ("util", Some(Step::Method(name, arguments))) => {
                let arguments = self.all(arguments)?;
                util(name, arguments.first().unwrap_or(&Value::Null))?
            }
            _ => return Ok(None),
        };
        self.budget.made(&made)?;
        if rest.is_empty() {
            return Ok(Some(Cow::Owned(made)));
        }
        Ok(self.follow(&made, rest)?.map(|value| Cow::Owned(value.into_owned())))
    }

    fn body_json(&mut self) -> &Value {
        let body = self.inputs.body;
        self.json.get_or_insert_with(|| match serde_json::from_str(body) {
            Ok(json) => json,
            Err(_) if body.trim().is_empty() => json!({}),
            Err(_) => Value::String(body.to_owned()),
        })
    }

    fn input(&mut self, name: &str, arguments: &[Value]) -> Eval<Value> {
        let params = self.inputs.params;
        match (name, arguments) {
            ("json", [path]) => {
                let path = JsonPath::parse(&print(path))?;
                let found = path.select(self.body_json());
                Ok(Value::String(found.map_or_else(|| "\"\"".to_owned(), |value| value.to_string())))
            }
            ("path", [path]) => {
                let path = JsonPath::parse(&print(path))?;
                Ok(path.select(self.body_json()).unwrap_or_else(|| json!("")))
            }
            ("params", []) => Ok(json!({"path": params.path, "querystring": params.query, "header": params.header})),
            ("params", [name]) => {
                let name = print(name);
                let header =
                    || params.header.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name)).map(|(_, value)| value);
                let found = params.path.get(&name).or_else(|| params.query.get(&name)).or_else(header);
                Ok(found.cloned().unwrap_or_else(|| json!("")))
            }
            _ => Err(format!("$input.{name}() takes other arguments")),
        }
    }

    fn all(&mut self, expressions: &[Expression]) -> Eval<Vec<Value>> {
        expressions.iter().map(|expression| self.expression(expression)).collect()
    }

    fn expression(&mut self, expression: &Expression) -> Eval<Value> {
        self.budget.steps(1)?;
        let value = match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Text(nodes) => {
                let mut text = String::new();
                self.nodes(nodes, &mut text)?;
                Value::String(text)
            }
            Expression::Reference(reference) => self.lend(reference, |value| value.cloned())?.unwrap_or(Value::Null),
            Expression::List(items) => Value::Array(self.all(items)?),
            Expression::Range(first, last) => {
                let (first, last) = (integer(&self.expression(first)?)?, integer(&self.expression(last)?)?);
                range(first, last)
            }
            Expression::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let key = print(&self.expression(key)?);
                    map.insert(key, self.expression(value)?);
                }
                Value::Object(map)
            }
            Expression::Not(_) | Expression::Binary(Operator::Or | Operator::And, ..) => {
                Value::Bool(self.truth(expression)?)
            }
            Expression::Binary(operator, left, right) => {
                let (left, right) = (self.expression(left)?, self.expression(right)?);
                binary(*operator, &left, &right)?
            }
        };
        self.budget.made(&value)?;
        Ok(value)
    }

    fn truth(&mut self, expression: &Expression) -> Eval<bool> {
        self.budget.steps(1)?;
        match expression {
            Expression::Reference(reference) => self.lend(reference, |value| value.is_some_and(is_true)),
            Expression::Not(inner) => Ok(!self.truth(inner)?),
            Expression::Binary(Operator::Or, left, right) => Ok(self.truth(left)? || self.truth(right)?),
            Expression::Binary(Operator::And, left, right) => Ok(self.truth(left)? && self.truth(right)?),
            other => self.expression(other).map(|value| is_true(&value)),
        }
    }
}

/// A part of what is lent is lent, of what is owned it is owned.
fn part<'v>(value: Cow<'v, Value>, take: impl FnOnce(&Value) -> Option<&Value>) -> Option<Cow<'v, Value>> {
    match value {
        Cow::Borrowed(value) => take(value).map(Cow::Borrowed),
        Cow::Owned(value) => take(&value).cloned().map(Cow::Owned),
    }
}

/// From the first to the last, up or down, as far as a loop goes.
fn range(first: i64, last: i64) -> Value {
    let numbers: Vec<Value> = if first <= last {
        (first..=last).take(MOST_ROUNDS).map(Value::from).collect()
    } else {
        (last..=first).rev().take(MOST_ROUNDS).map(Value::from).collect()
    };
    Value::Array(numbers)
}

#[cfg(test)]
mod tests {
    use super::super::parse::TemplateError;
    use super::*;

    fn run(template: &str) -> String {
        try_run(template).unwrap()
    }

    fn try_run(template: &str) -> Result<String, String> {
        let params = Params {
            path: Map::from_iter([("id".to_owned(), json!("7"))]),
            query: Map::from_iter([("q".to_owned(), json!("a b"))]),
            header: Map::from_iter([("X-One".to_owned(), json!("1"))]),
        };
        let inputs = Inputs {
            body: r#"{"name":"Ann \"A\"","list":[{"n":1},{"n":2}],"deep":{"x":null,"y":2.5}}"#,
            params: &params,
            context: &json!({"stage": "lab", "identity": {"sourceIp": "1.2.3.4"}}),
            stage_variables: &json!({"color": "red"}),
        };
        render(&Template::parse(template).unwrap(), &inputs).map(|rendered| rendered.text)
    }

    #[test]
    fn templates_render_as_on_api_gateway() {
        let cases = [
            ("plain {\"a\": 1} 5$ #1 \\$x", "plain {\"a\": 1} 5$ #1 $x"),
            ("$input.json('$.list[1]')", r#"{"n":2}"#),
            ("$input.json('$.missing')", "\"\""),
            ("$input.path('$.deep.y')", "2.5"),
            ("#set($n = $input.path('$.deep.y').intValue())$n#set($seven = 7)$seven.intValue()", "27"),
            ("#if(2 le 2 && 3 ge 2)yes#end", "yes"),
            ("$input.params('id')/$input.params('q')/$input.params('x-one')/$input.params('none')", "7/a b/1/"),
            ("$input.params().header.get('X-One')", "1"),
            ("$util.escapeJavaScript($input.path('$.name'))", r#"Ann \"A\""#),
            ("$util.urlEncode($input.params('q')) $util.base64Encode('hi')", "a+b aGk="),
            (
                "$context.stage $context.identity.sourceIp [$context.unknown] $stageVariables.color",
                "lab 1.2.3.4 [] red",
            ),
            ("#set($x = 1 + 2 * 3)$x #set($x = \"v${x}\")$x", "7 v7"),
            ("#if($input.path('$.list').size() > 1 && !false)yes#{else}no#end", "yes"),
            ("#if(1 == 2)a#elseif('x' == 'x')b#{else}c#end", "b"),
            ("#foreach($i in $input.path('$.list'))$i.n#if($foreach.hasNext),#end#end", "1,2"),
            ("#foreach($n in [1..3])$n$velocityCount #end", "11 22 33 "),
            ("#set($m = {'a': 1})#foreach($k in $m.keySet())$k=$m.get($k)#end", "a=1"),
            ("#set($l = [])#set($v = $l.add('x'))$l.size() $l", "1 [x]"),
            ("$unknown $!unknown ${unknown}", "$unknown  ${unknown}"),
            ("## comment\nx#* all\n of it *#y", "xy"),
            ("#set($s = 'a,b')$s.split(',').size() $s.replaceAll('[ab]', 'z') $s.substring(2)", "2 z,z b"),
        ];
        for (template, expected) in cases {
            assert_eq!(run(template), expected, "{template}");
        }
    }

    #[test]
    fn a_template_that_runs_wild_is_an_error() {
        let doubled = "#set($x = $x + $x)";
        let nested = "#set($x = [$x, 1])".repeat(150);
        let grow = |start: &str, round: &str| format!("#set($x = {start})#foreach($i in [1..1000]){round}#end");
        let cases = [
            grow("'x'", doubled),
            grow("[1]", "#set($y = $x.add($x))"),
            grow("'x'", "#set($x = $x.replace('x', 'xx'))"),
            grow("'x'", "#set($x = $x.replaceAll('x', '$0$0'))"),
            grow("'x'", "#set($x = \"$x$x\")"),
            grow("[1]", &nested),
            grow("1", "#foreach($j in [1..1000])#set($x = $j)#end"),
            grow("1", "#foreach($j in [1..1000])#foreach($k in [1..1000])#end#end"),
            format!("#set($x = 'xxxxxxxxxx')#foreach($i in [1..20]){doubled}#end#set($l = $x.split(''))$l.size()"),
            format!("#set($x{} = 1)", ".a".repeat(1000)),
        ];
        for template in cases {
            let shown: String = template.chars().take(100).collect();
            assert!(try_run(&template).is_err(), "{shown}");
        }
    }

    #[test]
    fn an_honest_loop_over_a_long_list_is_none() {
        let items: Vec<Value> = (0..1000)
            .map(|n| json!({"id": n, "name": "a name of some length", "tags": ["one", "two", "three"]}))
            .collect();
        let body = json!({ "items": items }).to_string();
        let inputs =
            Inputs { body: &body, params: &Params::default(), context: &json!({}), stage_variables: &json!({}) };
        let template = "#set($root = $input.path('$'))#foreach($item in $root.items)#if($root.items && $root.items.size() > 0)\
                        $item.id:$item.name:#foreach($tag in $item.tags)$tag#if($foreach.hasNext),#end#end\
                        #set($other = $root.items.get($item.id))$other.name.toUpperCase()#end#if($foreach.hasNext);#end#end";
        let text = render(&Template::parse(template).unwrap(), &inputs).unwrap().text;
        assert_eq!(text.split(';').count(), 1000);
        assert!(text.ends_with("999:a name of some length:one,two,threeA NAME OF SOME LENGTH"), "{text}");
    }

    #[test]
    fn a_falling_range_begins_with_its_first_number() {
        assert_eq!(run("#foreach($n in [3..1])$n #end"), "3 2 1 ");
        let falling = run("#foreach($n in [5000..1])$n,#end");
        assert!(falling.starts_with("5000,4999,") && falling.ends_with(",4001,"), "{falling}");
    }

    #[test]
    fn what_is_broken_or_unknown_is_refused_when_the_template_is_read() {
        for template in ["#if(true)", "#set($x = )", "#foreach($x in [1])", "#if(1 ==)x#end", "#end"] {
            assert!(matches!(Template::parse(template), Err(TemplateError::Invalid(_))), "{template}");
        }
        for template in ["#macro(x)#end", "$util.nothing('x')", "$input.json('$..a')", "$x.frobnicate()"] {
            assert!(matches!(Template::parse(template), Err(TemplateError::Unsupported(_))), "{template}");
        }
        for endless in ["#if(true)".repeat(100), format!("#set($x = 1{})", "+1".repeat(10_000)), "x".repeat(301 * 1024)]
        {
            assert!(matches!(Template::parse(&endless), Err(TemplateError::Invalid(_))));
        }
    }
}
