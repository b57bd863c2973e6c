//! Rendering a template.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use regex::Regex;
use serde_json::{Map, Value, json};

use super::JsonPath;
use super::parse::{Expression, Node, Operator, Reference, Step, Template};

/// "#foreach: up to 1000 iterations", and templates render 300 KB at most.
const MOST_ROUNDS: usize = 1000;
const MOST_OUTPUT: usize = 10 << 20;
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

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
    variables: HashMap<String, Value>,
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
    let mut renderer = Renderer { inputs, json: None, variables: HashMap::new(), stopped: false, broken: false };
    let mut out = String::new();
    renderer.nodes(&template.0, &mut out)?;
    Ok(Rendered { text: out, context: renderer.variables.remove("context") })
}

type Eval<T> = Result<T, String>;

impl Renderer<'_> {
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
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Reference(reference) => match self.reference(reference)? {
                Some(value) => out.push_str(&print(&value)),
                None if reference.quiet => {}
                None => out.push_str(&reference.source),
            },
            Node::Set { target, value } => {
                let value = self.expression(value)?;
                self.assign(target, value)?;
            }
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    let value = self.expression(condition)?;
                    if is_true(&value) {
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
            self.variables.insert(variable.to_owned(), item);
            let state = json!({"index": index, "count": index + 1, "hasNext": index + 1 < count, "first": index == 0, "last": index + 1 == count});
            self.variables.insert("velocityCount".into(), json!(index + 1));
            self.variables.insert("foreach".into(), state);
            self.nodes(body, out)?;
            if std::mem::take(&mut self.broken) || self.stopped {
                break;
            }
        }
        let mut restore = |name: &str, value: Option<Value>| match value {
            Some(value) => self.variables.insert(name.to_owned(), value),
            None => self.variables.remove(name),
        };
        restore(variable, outer.0);
        restore("foreach", outer.1);
        Ok(())
    }

    fn assign(&mut self, target: &Reference, value: Value) -> Eval<()> {
        let mut keys = Vec::new();
        for step in &target.steps {
            keys.push(match step {
                Step::Property(name) => Value::String(name.clone()),
                Step::Index(index) => self.expression(index)?,
                Step::Method(name, _) => return Err(format!("#set cannot set the result of {name}()")),
            });
        }
        let fresh = if target.name == "context" { self.inputs.context.clone() } else { Value::Null };
        let root = self.variables.entry(target.name.clone()).or_insert(fresh);
        if let Some(place) = walk(root, &keys, true) {
            *place = value;
        }
        Ok(())
    }

    fn reference(&mut self, reference: &Reference) -> Eval<Option<Value>> {
        let mut steps = reference.steps.as_slice();
        let mut value = match (reference.name.as_str(), steps.first()) {
            ("input" | "util" | "context" | "stageVariables", _) if !self.variables.contains_key(&reference.name) => {
                let (value, rest) = self.built_in(reference)?;
                steps = rest;
                value
            }
            (name, _) => {
                if let Some(changed) = self.change_in_place(reference)? {
                    return Ok(Some(changed));
                }
                self.variables.get(name).cloned()
            }
        };
        for step in steps {
            let Some(on) = value else { return Ok(None) };
            value = match step {
                Step::Property(name) => property(&on, name),
                Step::Index(index) => {
                    let index = self.expression(index)?;
                    element(&on, &index)
                }
                Step::Method(name, arguments) => {
                    let arguments = self.all(arguments)?;
                    method(&on, name, &arguments)?
                }
            };
        }
        Ok(value)
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
        let Some(place) = self.variables.get_mut(&reference.name).and_then(|root| walk(root, &keys, false)) else {
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

    fn built_in<'r>(&mut self, reference: &'r Reference) -> Eval<(Option<Value>, &'r [Step])> {
        let steps = reference.steps.as_slice();
        let rest = steps.get(1..).unwrap_or_default();
        let value = match (reference.name.as_str(), steps.first()) {
            ("input", Some(Step::Property(name))) if name == "body" => Some(Value::String(self.inputs.body.to_owned())),
            ("input", Some(Step::Method(name, arguments))) => {
                let arguments = self.all(arguments)?;
                self.input(name, &arguments)?
            }
            ("util", Some(Step::Method(name, arguments))) => {
                let arguments = self.all(arguments)?;
                Some(util(name, arguments.first().unwrap_or(&Value::Null))?)
            }
            // An unknown variable of the context is empty, not its own name.
            ("context" | "stageVariables", Some(_)) => {
                let root = if reference.name == "context" { self.inputs.context } else { self.inputs.stage_variables };
                let mut value = Some(root.clone());
                for step in steps {
                    value = match (value, step) {
                        (Some(on), Step::Property(name)) => property(&on, name),
                        (Some(on), Step::Index(index)) => {
                            let index = self.expression(index)?;
                            element(&on, &index)
                        }
                        (Some(on), Step::Method(name, arguments)) => {
                            let arguments = self.all(arguments)?;
                            method(&on, name, &arguments)?
                        }
                        (None, _) => None,
                    };
                }
                return Ok((Some(value.filter(|value| !value.is_null()).unwrap_or_else(|| json!(""))), &[]));
            }
            ("context", None) => Some(self.inputs.context.clone()),
            ("stageVariables", None) => Some(self.inputs.stage_variables.clone()),
            _ => None,
        };
        Ok((value, rest))
    }

    fn body_json(&mut self) -> &Value {
        let body = self.inputs.body;
        self.json.get_or_insert_with(|| match serde_json::from_str(body) {
            Ok(json) => json,
            Err(_) if body.trim().is_empty() => json!({}),
            Err(_) => Value::String(body.to_owned()),
        })
    }

    fn input(&mut self, name: &str, arguments: &[Value]) -> Eval<Option<Value>> {
        let params = self.inputs.params;
        match (name, arguments) {
            ("json", [path]) => {
                let path = JsonPath::parse(&print(path))?;
                let found = path.select(self.body_json());
                Ok(Some(Value::String(found.map_or_else(|| "\"\"".to_owned(), |value| value.to_string()))))
            }
            ("path", [path]) => {
                let path = JsonPath::parse(&print(path))?;
                Ok(Some(path.select(self.body_json()).unwrap_or_else(|| json!(""))))
            }
            ("params", []) => {
                Ok(Some(json!({"path": params.path, "querystring": params.query, "header": params.header})))
            }
            ("params", [name]) => {
                let name = print(name);
                let header =
                    || params.header.iter().find(|(key, _)| key.eq_ignore_ascii_case(&name)).map(|(_, value)| value);
                let found = params.path.get(&name).or_else(|| params.query.get(&name)).or_else(header);
                Ok(Some(found.cloned().unwrap_or_else(|| json!(""))))
            }
            _ => Err(format!("$input.{name}() takes other arguments")),
        }
    }

    fn all(&mut self, expressions: &[Expression]) -> Eval<Vec<Value>> {
        expressions.iter().map(|expression| self.expression(expression)).collect()
    }

    fn expression(&mut self, expression: &Expression) -> Eval<Value> {
        Ok(match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Text(nodes) => {
                let mut text = String::new();
                self.nodes(nodes, &mut text)?;
                Value::String(text)
            }
            Expression::Reference(reference) => self.reference(reference)?.unwrap_or(Value::Null),
            Expression::List(items) => Value::Array(self.all(items)?),
            Expression::Range(first, last) => {
                let (first, last) = (integer(&self.expression(first)?)?, integer(&self.expression(last)?)?);
                let up = |from: i64, to: i64| (from..=to).take(MOST_ROUNDS).map(Value::from).collect::<Vec<_>>();
                if first <= last {
                    Value::Array(up(first, last))
                } else {
                    Value::Array(up(last, first).into_iter().rev().collect())
                }
            }
            Expression::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let key = print(&self.expression(key)?);
                    map.insert(key, self.expression(value)?);
                }
                Value::Object(map)
            }
            Expression::Not(inner) => Value::Bool(!is_true(&self.expression(inner)?)),
            Expression::Binary(Operator::Or, left, right) => {
                Value::Bool(is_true(&self.expression(left)?) || is_true(&self.expression(right)?))
            }
            Expression::Binary(Operator::And, left, right) => {
                Value::Bool(is_true(&self.expression(left)?) && is_true(&self.expression(right)?))
            }
            Expression::Binary(operator, left, right) => {
                let (left, right) = (self.expression(left)?, self.expression(right)?);
                binary(*operator, &left, &right)?
            }
        })
    }
}

/// The place that `keys` lead to; `make` puts maps where nothing is.
fn walk<'v>(root: &'v mut Value, keys: &[Value], make: bool) -> Option<&'v mut Value> {
    let mut place = root;
    for key in keys {
        if make && place.is_null() {
            *place = json!({});
        }
        place = match place {
            Value::Array(list) => list.get_mut(usize::try_from(key.as_i64()?).ok()?)?,
            Value::Object(map) => {
                let key = print(key);
                if make && !map.contains_key(&key) {
                    map.insert(key.clone(), Value::Null);
                }
                map.get_mut(&key)?
            }
            _ => return None,
        };
    }
    Some(place)
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

fn integer(value: &Value) -> Eval<i64> {
    let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number.ok_or_else(|| format!("{} is not an integer", print(value)))
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Eval<Value> {
    let numbers = left.as_f64().zip(right.as_f64());
    let order = match numbers {
        Some((left, right)) => left.partial_cmp(&right),
        None => left.as_str().zip(right.as_str()).map(|(left, right)| left.cmp(right)),
    };
    let integers = left.as_i64().zip(right.as_i64());
    Ok(match operator {
        Operator::Equal => Value::Bool(order.map_or_else(|| print(left) == print(right), std::cmp::Ordering::is_eq)),
        Operator::NotEqual => Value::Bool(order.map_or_else(|| print(left) != print(right), std::cmp::Ordering::is_ne)),
        Operator::Less => Value::Bool(order.is_some_and(std::cmp::Ordering::is_lt)),
        Operator::AtMost => Value::Bool(order.is_some_and(std::cmp::Ordering::is_le)),
        Operator::Greater => Value::Bool(order.is_some_and(std::cmp::Ordering::is_gt)),
        Operator::AtLeast => Value::Bool(order.is_some_and(std::cmp::Ordering::is_ge)),
        Operator::Add if numbers.is_none() => Value::String(print(left) + &print(right)),
        _ => {
            let whole = integers.and_then(|(left, right)| match operator {
                Operator::Add => left.checked_add(right),
                Operator::Subtract => left.checked_sub(right),
                Operator::Multiply => left.checked_mul(right),
                Operator::Divide => left.checked_div(right),
                _ => left.checked_rem(right),
            });
            match (whole, numbers) {
                (Some(whole), _) => json!(whole),
                (None, Some((left, right))) => json!(match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                    _ => left % right,
                }),
                (None, None) => Value::Null,
            }
        }
    })
}

fn property(value: &Value, name: &str) -> Option<Value> {
    match value {
        Value::Object(map) => map.get(name).filter(|value| !value.is_null()).cloned(),
        _ => None,
    }
}

fn element(value: &Value, index: &Value) -> Option<Value> {
    match value {
        Value::Array(list) => list.get(usize::try_from(index.as_i64()?).ok()?).cloned(),
        Value::Object(map) => map.get(&print(index)).cloned(),
        _ => None,
    }
}

fn method(on: &Value, name: &str, arguments: &[Value]) -> Eval<Option<Value>> {
    let text = |index: usize| arguments.get(index).map(print).unwrap_or_default();
    let found = match (on, name) {
        (Value::Array(list), "size") => json!(list.len()),
        (Value::Array(list), "isEmpty") => json!(list.is_empty()),
        (Value::Array(list), "contains") => json!(arguments.first().is_some_and(|item| list.contains(item))),
        (Value::Array(_) | Value::Object(_), "get") => {
            return Ok(element(on, arguments.first().unwrap_or(&Value::Null)));
        }
        (Value::Object(map), "size") => json!(map.len()),
        (Value::Object(map), "isEmpty") => json!(map.is_empty()),
        (Value::Object(map), "containsKey") => json!(map.contains_key(&text(0))),
        (Value::Object(map), "keySet") => json!(map.keys().collect::<Vec<_>>()),
        (Value::Object(map), "values") => json!(map.values().collect::<Vec<_>>()),
        (Value::Object(map), "entrySet") => {
            Value::Array(map.iter().map(|(key, value)| json!({"key": key, "value": value})).collect())
        }
        (Value::Object(map), "getKey") => return Ok(map.get("key").cloned()),
        (Value::Object(map), "getValue") => return Ok(map.get("value").cloned()),
        (_, "toString") => Value::String(print(on)),
        (_, "equals") => json!(arguments.first().is_some_and(|other| other == on)),
        (Value::Number(number), "intValue") => json!(number.as_f64().map(f64::trunc)),
        (Value::String(string), _) => return of_string(string, name, arguments),
        _ => return Ok(None),
    };
    Ok(Some(found))
}

fn of_string(string: &str, name: &str, arguments: &[Value]) -> Eval<Option<Value>> {
    let text = |index: usize| arguments.get(index).map(print).unwrap_or_default();
    let regex = |index: usize| Regex::new(&text(index)).map_err(|error| error.to_string());
    let place = |found: Option<usize>| found.map_or(json!(-1), |at| json!(string[..at].chars().count()));
    Ok(Some(match name {
        "length" => json!(string.chars().count()),
        "isEmpty" => json!(string.is_empty()),
        "contains" => json!(string.contains(&text(0))),
        "startsWith" => json!(string.starts_with(&text(0))),
        "endsWith" => json!(string.ends_with(&text(0))),
        "equalsIgnoreCase" => json!(string.eq_ignore_ascii_case(&text(0))),
        "indexOf" => place(string.find(&text(0))),
        "lastIndexOf" => place(string.rfind(&text(0))),
        "matches" => {
            json!(Regex::new(&format!("^(?:{})$", text(0))).map_err(|error| error.to_string())?.is_match(string))
        }
        "replace" => json!(string.replace(&text(0), &text(1))),
        "replaceAll" => json!(regex(0)?.replace_all(string, text(1).as_str())),
        "split" => json!(regex(0)?.split(string).collect::<Vec<_>>()),
        "concat" => json!(format!("{string}{}", text(0))),
        "toLowerCase" => json!(string.to_lowercase()),
        "toUpperCase" => json!(string.to_uppercase()),
        "trim" => json!(string.trim()),
        "charAt" => {
            let at = usize::try_from(integer(arguments.first().unwrap_or(&Value::Null))?).unwrap_or(usize::MAX);
            json!(string.chars().nth(at).ok_or("charAt() beyond the end")?.to_string())
        }
        "substring" => {
            let bound = |index: usize, default: usize| match arguments.get(index) {
                Some(value) => integer(value).map(|at| usize::try_from(at).unwrap_or(0)),
                None => Ok(default),
            };
            let (from, to) = (bound(0, 0)?, bound(1, string.chars().count())?);
            json!(string.chars().skip(from).take(to.saturating_sub(from)).collect::<String>())
        }
        _ => return Ok(None),
    }))
}

fn util(name: &str, argument: &Value) -> Eval<Value> {
    let text = print(argument);
    Ok(match name {
        "escapeJavaScript" => Value::String(escape_java_script(&text)),
        "parseJson" => serde_json::from_str(&text).map_err(|error| format!("$util.parseJson(): {error}"))?,
        "urlEncode" => Value::String(utf8_percent_encode(&text, PLAIN).to_string().replace("%20", "+")),
        "urlDecode" => Value::String(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()),
        "base64Encode" => Value::String(STANDARD.encode(text)),
        "base64Decode" => {
            let bytes = STANDARD.decode(text).map_err(|error| format!("$util.base64Decode(): {error}"))?;
            Value::String(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => return Err(format!("$util.{name}() is not known")),
    })
}

fn escape_java_script(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || (c as u32) > 0x7f => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// A value as Velocity prints it: lists and maps in Java's form.
fn print(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(print).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}={}", print(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::TemplateError;
    use super::*;

    fn run(template: &str) -> String {
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
        render(&Template::parse(template).unwrap(), &inputs).unwrap().text
    }

    #[test]
    fn templates_render_as_on_api_gateway() {
        let cases = [
            ("plain {\"a\": 1} 5$ #1 \\$x", "plain {\"a\": 1} 5$ #1 $x"),
            ("$input.json('$.list[1]')", r#"{"n":2}"#),
            ("$input.json('$.missing')", "\"\""),
            ("$input.path('$.deep.y')", "2.5"),
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
    fn what_is_broken_or_unknown_is_refused_when_the_template_is_read() {
        for template in ["#if(true)", "#set($x = )", "#foreach($x in [1])", "#if(1 ==)x#end", "#end"] {
            assert!(matches!(Template::parse(template), Err(TemplateError::Invalid(_))), "{template}");
        }
        for template in ["#macro(x)#end", "$util.nothing('x')", "$input.json('$..a')", "$x.frobnicate()"] {
            assert!(matches!(Template::parse(template), Err(TemplateError::Unsupported(_))), "{template}");
        }
        assert!(Template::parse(&"#if(true)".repeat(100)).is_err());
    }
}
