//! What a template is once it is read.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::json_path::JsonPath;
use super::pattern::Pattern;

/// A parsed template.
#[derive(Clone, Debug)]
pub(in crate::services::apigateway) struct Template {
    pub(super) nodes: Vec<Node>,
    pub(super) macros: Macros,
}

pub(super) type Macros = HashMap<String, Arc<Macro>>;

/// `#macro(name $parameter …) body #end`
#[derive(Debug)]
pub(super) struct Macro {
    pub parameters: Vec<String>,
    pub body: Vec<Node>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Reference(Reference),
    /// `\$name`: without the backslash, if it stands for something.
    Escaped(Reference, String),
    Set {
        target: Reference,
        value: Expression,
    },
    If {
        branches: Vec<(Expression, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    ForEach {
        variable: String,
        list: Expression,
        body: Vec<Node>,
    },
    /// A block that is rendered wherever its variable stands.
    Define {
        variable: String,
        body: Arc<[Node]>,
    },
    /// `#name(…)`: a macro, or the text that it is if there is none of this name.
    Call {
        name: String,
        arguments: Vec<Expression>,
        source: String,
    },
    /// A text that is a template itself, nested as deep as this directive stands.
    Evaluate {
        text: Expression,
        depth: usize,
    },
    Break,
    Stop,
}

/// `$name.property.method(arguments)[index]`
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub name: String,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Property(String),
    Method(String, Vec<Expression>, Option<Read>),
    Index(Expression),
}

/// A method's first argument, if it stands there as it is.
#[derive(Clone, Debug)]
pub(super) enum Read {
    Path(JsonPath),
    Pattern(Pattern),
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    Literal(Value),
    /// A string in double quotes, itself a template.
    Text(Vec<Node>),
    Reference(Reference),
    /// A reference beside a `+`, and how it is written: what it is to a text when it stands for nothing.
    Summand(Reference, String),
    List(Vec<Expression>),
    Range(Box<Expression>, Box<Expression>),
    Map(Vec<(Expression, Expression)>),
    Not(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
}

impl Expression {
    pub(super) fn beside_plus(self, source: &str) -> Self {
        match self {
            Expression::Reference(reference) => Expression::Summand(reference, source.to_owned()),
            other => other,
        }
    }

    /// Whether it can be true: in Velocity 1.7 a literal text, number, list or map and a sum are false as a condition.
    pub(super) fn is_condition(&self) -> bool {
        match self {
            Expression::Literal(value) => value.is_boolean(),
            Expression::Reference(_) | Expression::Summand(..) | Expression::Not(_) => true,
            Expression::Binary(operator, ..) => !operator.is_arithmetic(),
            Expression::Text(_) | Expression::List(_) | Expression::Range(..) | Expression::Map(_) => false,
        }
    }
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

impl Operator {
    fn is_arithmetic(self) -> bool {
        use Operator::{Add, Divide, Multiply, Remainder, Subtract};
        matches!(self, Add | Subtract | Multiply | Divide | Remainder)
    }

    /// By its sign or its word; how tightly it binds is its place in this table.
    pub(super) const LEVELS: &[&[(&str, Operator)]] = &[
        &[("||", Operator::Or), ("or", Operator::Or)],
        &[("&&", Operator::And), ("and", Operator::And)],
        &[("==", Operator::Equal), ("eq", Operator::Equal), ("!=", Operator::NotEqual), ("ne", Operator::NotEqual)],
        // The longer signs first: `<=` begins as `<` does.
        &[
            ("<=", Operator::AtMost),
            ("le", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("ge", Operator::AtLeast),
            ("<", Operator::Less),
            ("lt", Operator::Less),
            (">", Operator::Greater),
            ("gt", Operator::Greater),
        ],
        &[("+", Operator::Add), ("-", Operator::Subtract)],
        &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
    ];
}
