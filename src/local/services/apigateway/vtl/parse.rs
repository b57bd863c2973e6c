//! From template text to a tree.

use serde_json::Value;

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::local::services::apigateway) enum TemplateError {
    /// Broken in Velocity's own terms.
    Invalid(String),
    /// Velocity or API Gateway knows it, and this local cloud does not.
    Unsupported(String),
}

/// A parsed template.
#[derive(Clone, Debug)]
pub(in crate::local::services::apigateway) struct Template(pub(super) Vec<Node>);

#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Reference(Reference),
    Set { target: Reference, value: Expression },
    If { branches: Vec<(Expression, Vec<Node>)>, otherwise: Vec<Node> },
    ForEach { variable: String, list: Expression, body: Vec<Node> },
    Break,
    Stop,
}

/// `$name.property.method(arguments)[index]`, with its source text: what is unknown is printed as it was written.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub name: String,
    pub steps: Vec<Step>,
    pub quiet: bool,
    pub source: String,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Property(String),
    Method(String, Vec<Expression>),
    Index(Expression),
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    Literal(Value),
    /// A string in double quotes, itself a template.
    Text(Vec<Node>),
    Reference(Reference),
    List(Vec<Expression>),
    Range(Box<Expression>, Box<Expression>),
    Map(Vec<(Expression, Expression)>),
    Not(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// What `$util` and `$input` offer.
const UTIL: &[&str] = &["escapeJavaScript", "parseJson", "urlEncode", "urlDecode", "base64Encode", "base64Decode"];
const INPUT: &[&str] = &["json", "params", "path"];
/// The methods of values.
pub(super) const METHODS: &[&str] = &[
    "add",
    "charAt",
    "concat",
    "contains",
    "containsKey",
    "endsWith",
    "entrySet",
    "equals",
    "equalsIgnoreCase",
    "get",
    "indexOf",
    "isEmpty",
    "keySet",
    "lastIndexOf",
    "length",
    "matches",
    "put",
    "remove",
    "replace",
    "replaceAll",
    "size",
    "split",
    "startsWith",
    "substring",
    "toLowerCase",
    "toString",
    "toUpperCase",
    "trim",
    "values",
    "intValue",
    "getKey",
    "getValue",
];

/// The binary operators, loosest first.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[("==", Operator::Equal), ("!=", Operator::NotEqual)],
    &[("<=", Operator::AtMost), (">=", Operator::AtLeast), ("<", Operator::Less), (">", Operator::Greater)],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
];

impl Template {
    pub(in crate::local::services::apigateway) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser { text, at: 0, depth: 0, operators: 0 };
        if text.len() > LONGEST {
            return Err(parser.invalid("the template is larger than 300 KB"));
        }
        let (nodes, end) = parser.nodes()?;
        match end {
            None => Ok(Template(nodes)),
            Some(end) => Err(parser.invalid(&format!("#{end} without its #if or #foreach"))),
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    /// In the directive or reference at hand.
    operators: usize,
}

type Parsed<T> = Result<T, TemplateError>;
/// Nesting that no honest template has.
const DEEPEST: usize = 64;
/// A chain of operators is a tree as deep as it is long.
const MOST_OPERATORS: usize = 256;
/// The quota of mapping templates.
const LONGEST: usize = 300 * 1024;

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn invalid(&self, why: &str) -> TemplateError {
        let line = self.text[..self.at].matches('\n').count() + 1;
        TemplateError::Invalid(format!("line {line}: {why}"))
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn expect(&mut self, text: &str) -> Parsed<()> {
        self.spaces();
        if self.eat(text) { Ok(()) } else { Err(self.invalid(&format!("'{text}' is missing"))) }
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.invalid("the template is nested too deeply"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Nodes up to the end of the text, or of the block: then with the directive that ends it.
    fn nodes(&mut self) -> Parsed<(Vec<Node>, Option<&'static str>)> {
        let mut nodes = Vec::new();
        loop {
            let rest = self.rest();
            let next = rest.find(['$', '#', '\\']).unwrap_or(rest.len());
            if next > 0 {
                nodes.push(Node::Text(rest[..next].to_owned()));
                self.at += next;
            }
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { return Ok((nodes, None)) };
            self.operators = 0;
            match first {
                '\\' => {
                    self.at += 1;
                    // `\$` and `\#` are the signs themselves; any other backslash is just one.
                    let escaped = if self.eat("$") {
                        "$"
                    } else if self.eat("#") {
                        "#"
                    } else {
                        "\\"
                    };
                    nodes.push(Node::Text(escaped.to_owned()));
                }
                '$' => nodes.push(match self.reference()? {
                    Some(reference) => Node::Reference(reference),
                    None => {
                        self.at += 1;
                        Node::Text("$".into())
                    }
                }),
                _ => {
                    if let Some(end) = self.directive(&mut nodes)? {
                        return Ok((nodes, Some(end)));
                    }
                }
            }
        }
    }

    /// At `#`: a comment, a directive, or plain text. The name of a directive that ends a block is given back.
    fn directive(&mut self, nodes: &mut Vec<Node>) -> Parsed<Option<&'static str>> {
        if self.eat("##") {
            let rest = self.rest();
            self.at += rest.find('\n').map_or(rest.len(), |end| end + 1);
            return Ok(None);
        }
        if self.eat("#*") {
            let end = self.rest().find("*#").ok_or_else(|| self.invalid("a comment is not closed"))?;
            self.at += end + 2;
            return Ok(None);
        }
        let start = self.at;
        self.at += 1;
        let braced = self.eat("{");
        let name = self.word();
        if braced {
            self.expect("}")?;
        }
        match name {
            "set" => nodes.push(self.deeper(Self::set)?),
            "if" => nodes.push(self.deeper(Self::if_block)?),
            "foreach" => nodes.push(self.deeper(Self::for_each)?),
            "break" => nodes.push(Node::Break),
            "stop" => nodes.push(Node::Stop),
            "end" => return Ok(Some("end")),
            "else" => return Ok(Some("else")),
            "elseif" => return Ok(Some("elseif")),
            "macro" | "parse" | "include" | "define" | "evaluate" => {
                return Err(TemplateError::Unsupported(format!("the directive #{name} in mapping templates")));
            }
            _ => {
                self.at = start + 1;
                nodes.push(Node::Text("#".into()));
            }
        }
        Ok(None)
    }

    fn set(&mut self) -> Parsed<Node> {
        self.expect("(")?;
        self.spaces();
        let target = self.reference()?.ok_or_else(|| self.invalid("#set needs a reference"))?;
        self.expect("=")?;
        let value = self.expression(0)?;
        self.expect(")")?;
        // Velocity swallows the end of the line after a directive that prints nothing.
        if !self.eat("\r\n") {
            self.eat("\n");
        }
        Ok(Node::Set { target, value })
    }

    fn if_block(&mut self) -> Parsed<Node> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        self.expect("(")?;
        let mut condition = self.expression(0)?;
        self.expect(")")?;
        loop {
            let (body, end) = self.nodes()?;
            branches.push((condition, body));
            match end {
                Some("elseif") => {
                    self.expect("(")?;
                    condition = self.expression(0)?;
                    self.expect(")")?;
                }
                Some("else") => {
                    let (body, end) = self.nodes()?;
                    if end != Some("end") {
                        return Err(self.invalid("#else needs its #end"));
                    }
                    otherwise = body;
                    return Ok(Node::If { branches, otherwise });
                }
                Some(_) => return Ok(Node::If { branches, otherwise }),
                None => return Err(self.invalid("#if needs its #end")),
            }
        }
    }

    fn for_each(&mut self) -> Parsed<Node> {
        self.expect("(")?;
        self.spaces();
        let variable = self.reference()?.ok_or_else(|| self.invalid("#foreach needs a variable"))?;
        self.expect("in")?;
        let list = self.expression(0)?;
        self.expect(")")?;
        let (body, end) = self.nodes()?;
        if end != Some("end") {
            return Err(self.invalid("#foreach needs its #end"));
        }
        Ok(Node::ForEach { variable: variable.name, list, body })
    }

    /// At `$`: a reference, or nothing if the sign stands alone.
    fn reference(&mut self) -> Parsed<Option<Reference>> {
        let start = self.at;
        if !self.eat("$") {
            return Ok(None);
        }
        let quiet = self.eat("!");
        let braced = self.eat("{");
        let name =
            if self.rest().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { self.word() } else { "" };
        if name.is_empty() {
            self.at = start;
            return Ok(None);
        }
        let mut steps = Vec::new();
        loop {
            let before = self.at;
            if self.eat("[") {
                let index = self.expression(0)?;
                self.expect("]")?;
                steps.push(Step::Index(index));
            } else if self.eat(".") {
                let property = if self.rest().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    self.word()
                } else {
                    ""
                };
                if property.is_empty() {
                    // The full stop of a sentence.
                    self.at = before;
                    break;
                }
                steps.push(match self.eat("(") {
                    true => Step::Method(property.to_owned(), self.arguments()?),
                    false => Step::Property(property.to_owned()),
                });
            } else {
                break;
            }
        }
        if braced {
            self.expect("}")?;
        }
        let source = self.text[start..self.at].to_owned();
        let reference = Reference { name: name.to_owned(), steps, quiet, source };
        self.check(&reference)?;
        Ok(Some(reference))
    }

    fn arguments(&mut self) -> Parsed<Vec<Expression>> {
        self.list(")")
    }

    fn list(&mut self, close: &str) -> Parsed<Vec<Expression>> {
        let mut items = Vec::new();
        self.spaces();
        while !self.eat(close) {
            items.push(self.expression(0)?);
            self.spaces();
            if !self.eat(",") && !self.rest().starts_with(close) {
                return Err(self.invalid(&format!("',' or '{close}' is missing")));
            }
            self.spaces();
        }
        Ok(items)
    }

    /// Refuses functions and paths that are not known, when the template is put rather than when a client calls.
    fn check(&self, reference: &Reference) -> Parsed<()> {
        let unsupported = |what: String| Err(TemplateError::Unsupported(format!("{what} in mapping templates")));
        for (index, step) in reference.steps.iter().enumerate() {
            let Step::Method(name, arguments) = step else { continue };
            let known = match (reference.name.as_str(), index) {
                ("util", 0) => UTIL,
                ("input", 0) => INPUT,
                _ => METHODS,
            };
            if !known.contains(&name.as_str()) {
                let object = if index == 0 { format!("${}", reference.name) } else { String::new() };
                return unsupported(format!("the function {object}.{name}()"));
            }
            if reference.name == "input"
                && index == 0
                && name != "params"
                && let [Expression::Literal(Value::String(path))] = arguments.as_slice()
                && let Err(why) = super::JsonPath::parse(path)
            {
                return unsupported(why);
            }
        }
        Ok(())
    }

    fn expression(&mut self, level: usize) -> Parsed<Expression> {
        self.deeper(|parser| {
            let Some(operators) = LEVELS.get(level) else { return parser.unary() };
            let mut left = parser.expression(level + 1)?;
            'more: loop {
                parser.spaces();
                let worded = [
                    ("eq ", Operator::Equal),
                    ("ne ", Operator::NotEqual),
                    ("lt ", Operator::Less),
                    ("le ", Operator::AtMost),
                    ("gt ", Operator::Greater),
                    ("ge ", Operator::AtLeast),
                    ("and ", Operator::And),
                    ("or ", Operator::Or),
                ];
                let words = worded.iter().filter(|(_, word)| operators.iter().any(|(_, operator)| operator == word));
                for (sign, operator) in operators.iter().chain(words) {
                    if parser.eat(sign) {
                        parser.operators += 1;
                        if parser.operators > MOST_OPERATORS {
                            return Err(parser.invalid("the expression has too many operators"));
                        }
                        let right = parser.expression(level + 1)?;
                        left = Expression::Binary(*operator, Box::new(left), Box::new(right));
                        continue 'more;
                    }
                }
                return Ok(left);
            }
        })
    }

    fn unary(&mut self) -> Parsed<Expression> {
        self.spaces();
        if self.eat("!") {
            return self.deeper(|parser| Ok(Expression::Not(Box::new(parser.unary()?))));
        }
        if self.eat("(") {
            let inner = self.expression(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.eat("[") {
            let items = self.list_or_range()?;
            return Ok(items);
        }
        if self.eat("{") {
            return self.map();
        }
        let rest = self.rest();
        match rest.chars().next() {
            Some('$') => match self.reference()? {
                Some(reference) => Ok(Expression::Reference(reference)),
                None => Err(self.invalid("a name must follow $")),
            },
            Some('\'') => self.quoted('\'').map(|text| Expression::Literal(Value::String(text))),
            Some('"') => {
                let text = self.quoted('"')?;
                if !text.contains(['$', '#']) {
                    return Ok(Expression::Literal(Value::String(text)));
                }
                Template::parse(&text).map(|template| Expression::Text(template.0))
            }
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            _ => match self.word() {
                "true" => Ok(Expression::Literal(Value::Bool(true))),
                "false" => Ok(Expression::Literal(Value::Bool(false))),
                "null" => Ok(Expression::Literal(Value::Null)),
                "not" => self.deeper(|parser| Ok(Expression::Not(Box::new(parser.unary()?)))),
                other => Err(self.invalid(&format!("'{other}' is not expected there"))),
            },
        }
    }

    fn list_or_range(&mut self) -> Parsed<Expression> {
        self.spaces();
        if self.eat("]") {
            return Ok(Expression::List(Vec::new()));
        }
        let first = self.expression(0)?;
        self.spaces();
        if self.eat("..") {
            let last = self.expression(0)?;
            self.expect("]")?;
            return Ok(Expression::Range(Box::new(first), Box::new(last)));
        }
        let mut items = vec![first];
        if self.eat(",") {
            items.extend(self.list("]")?);
        } else {
            self.expect("]")?;
        }
        Ok(Expression::List(items))
    }

    fn map(&mut self) -> Parsed<Expression> {
        let mut entries = Vec::new();
        self.spaces();
        while !self.eat("}") {
            let key = self.expression(0)?;
            self.expect(":")?;
            entries.push((key, self.expression(0)?));
            self.spaces();
            if !self.eat(",") && !self.rest().starts_with('}') {
                return Err(self.invalid("',' or '}' is missing"));
            }
            self.spaces();
        }
        Ok(Expression::Map(entries))
    }

    /// A string; a doubled quote is the quote itself.
    fn quoted(&mut self, quote: char) -> Parsed<String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let end = rest.find(quote).ok_or_else(|| self.invalid("a closing quote is missing"))?;
            text.push_str(&rest[..end]);
            self.at += end + 1;
            if !self.rest().starts_with(quote) {
                return Ok(text);
            }
            text.push(quote);
            self.at += 1;
        }
    }

    fn number(&mut self) -> Parsed<Expression> {
        let rest = self.rest();
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let sign = usize::from(rest.starts_with('-'));
        let mut end = sign + digits(&rest[sign..]);
        // `1..3` is a range, `1.5` a number.
        if rest[end..].starts_with('.') && !rest[end..].starts_with("..") {
            end += 1 + digits(&rest[end + 1..]);
        }
        self.at += end;
        let value = serde_json::from_str(&rest[..end]).map_err(|_| self.invalid("a number is broken"))?;
        Ok(Expression::Literal(value))
    }
}
