//! What a template is once it is read.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

/// A parsed template.
#[derive(Clone, Debug)]
pub(in crate::local::services::apigateway) struct Template {
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

impl Operator {
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
