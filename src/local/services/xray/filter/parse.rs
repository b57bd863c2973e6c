//! From words to a filter. A keyword that X-Ray does not have is an error; one that it has and the local cloud has not is refused
//! by name.

use super::lex::{Token, words};
use crate::services::xray::faults::XRayFault;

/// An expression, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::services::xray) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Flag(Flag),
    Number(Number, Order, f64),
    Text(TextOf, Match, String),
    Annotation(String, Wanted),
    Service(Node, Option<Box<Filter>>),
    Edge(Node, Node, Option<Box<Filter>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::services::xray) enum Flag {
    Ok,
    Error,
    Throttle,
    Fault,
    Partial,
    Inferred,
    Remote,
    Root,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::services::xray) enum Number {
    ResponseTime,
    Duration,
    Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::services::xray) enum TextOf {
    Url,
    Method,
    UserAgent,
    ClientIp,
    User,
    Name,
    Type,
    Message,
    Zone,
    Instance,
    Arn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::services::xray) enum Order {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::services::xray) enum Match {
    Equal,
    NotEqual,
    Contains,
    Begins,
    Ends,
}

/// What an annotation is held against; nothing: that it is there.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::services::xray) enum Wanted {
    Present,
    Number(Order, f64),
    Text(Match, String),
    Boolean(bool),
}

/// Which services are meant: all that fit what is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::services::xray) struct Node {
    pub name: Option<String>,
    pub kind: Option<String>,
    pub account: Option<String>,
}

const FLAGS: &[(&str, Flag)] = &[
    ("ok", Flag::Ok),
    ("error", Flag::Error),
    ("throttle", Flag::Throttle),
    ("fault", Flag::Fault),
    ("partial", Flag::Partial),
    ("inferred", Flag::Inferred),
    ("remote", Flag::Remote),
    ("root", Flag::Root),
];
const NUMBERS: &[(&str, Number)] =
    &[("responsetime", Number::ResponseTime), ("duration", Number::Duration), ("http.status", Number::Status)];
const TEXTS: &[(&str, TextOf)] = &[
    ("http.url", TextOf::Url),
    ("http.method", TextOf::Method),
    ("http.useragent", TextOf::UserAgent),
    ("http.clientip", TextOf::ClientIp),
    ("user", TextOf::User),
    ("name", TextOf::Name),
    ("type", TextOf::Type),
    ("message", TextOf::Message),
    ("availabilityzone", TextOf::Zone),
    ("instance.id", TextOf::Instance),
    ("resource.arn", TextOf::Arn),
];
/// What X-Ray has and this is not.
const ELSEWHERE: &[&str] = &["index", "coverage", "first", "last", "json", "group.arn"];
const ORDERS: &[(&str, Order)] = &[
    ("=", Order::Equal),
    ("!=", Order::NotEqual),
    ("<", Order::Less),
    ("<=", Order::AtMost),
    (">", Order::More),
    (">=", Order::AtLeast),
];
const MATCHES: &[(&str, Match)] = &[
    ("=", Match::Equal),
    ("!=", Match::NotEqual),
    ("CONTAINS", Match::Contains),
    ("BEGINSWITH", Match::Begins),
    ("ENDSWITH", Match::Ends),
];
/// Parentheses, braces and `!` within each other.
const DEEPEST: usize = 50;

fn of<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn wrong<T>(why: impl Into<String>) -> Result<T, XRayFault> {
    Err(XRayFault::Filter(why.into()))
}

/// Reads an expression. `group` gives the expression of a group by its name.
///
/// # Errors
/// What is wrong with it.
pub(in crate::services::xray) fn parse(
    text: &str,
    group: &dyn Fn(&str) -> Option<String>,
) -> Result<Filter, XRayFault> {
    let mut reader = Reader { tokens: words(text)?, at: 0, group, depth: 0, within: false };
    if reader.tokens.is_empty() {
        return Ok(Filter::All(Vec::new()));
    }
    let filter = reader.any()?;
    match reader.tokens.get(reader.at) {
        None => Ok(filter),
        Some(token) => wrong(format!("{} is not expected", shown(token))),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("`{word}`"),
        Token::Key(key) => format!("`[{key}]`"),
        Token::Text(text) => format!("\"{text}\""),
        Token::Number(number) => format!("`{number}`"),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}

struct Reader<'g> {
    tokens: Vec<Token>,
    at: usize,
    group: &'g dyn Fn(&str) -> Option<String>,
    depth: usize,
    /// Between the braces of a service or an edge.
    within: bool,
}

impl Reader<'_> {
    fn sign(&mut self, sign: &str) -> bool {
        let there = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, sign: &str) -> Result<(), XRayFault> {
        match self.sign(sign) {
            true => Ok(()),
            false => wrong(format!("`{sign}` is expected")),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let there = matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found == word);
        self.at += usize::from(there);
        there
    }

    fn next(&mut self) -> Result<Token, XRayFault> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token.ok_or_else(|| XRayFault::Filter("it ends too early".into()))
    }

    fn any(&mut self) -> Result<Filter, XRayFault> {
        let mut parts = vec![self.all()?];
        while self.word("OR") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    /// Conditions with `AND` between them, or nothing: `ok !partial duration < 3`.
    fn all(&mut self) -> Result<Filter, XRayFault> {
        let mut parts = vec![self.one()?];
        loop {
            let begins = match self.tokens.get(self.at) {
                Some(Token::Word(word)) => word != "OR",
                Some(Token::Sign(sign)) => *sign == "!" || *sign == "(",
                _ => false,
            };
            if !begins {
                break;
            }
            self.word("AND");
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn one(&mut self) -> Result<Filter, XRayFault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return wrong("it is nested too deep");
        }
        let filter = self.condition();
        self.depth -= 1;
        filter
    }

    fn condition(&mut self) -> Result<Filter, XRayFault> {
        if self.sign("!") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        if self.sign("(") {
            let filter = self.any()?;
            self.expect(")")?;
            return Ok(filter);
        }
        let word = match self.next()? {
            Token::Word(word) => word,
            other => return wrong(format!("{} is not expected", shown(&other))),
        };
        if let Some(flag) = of(FLAGS, &word) {
            return self.flag(flag);
        }
        if let Some(number) = of(NUMBERS, &word) {
            let order = self.operator(&word, ORDERS)?;
            return Ok(Filter::Number(number, order, self.number(&word)?));
        }
        if let Some(text) = of(TEXTS, &word) {
            let how = self.operator(&word, MATCHES)?;
            return Ok(Filter::Text(text, how, self.text(&word)?));
        }
        match word.as_str() {
            "service" => self.service(),
            "edge" => self.edge(),
            "group.name" => self.in_group(),
            _ if word == "annotation" || word.starts_with("annotation.") => self.annotation(&word),
            known if ELSEWHERE.contains(&known) || known.starts_with("rootcause") => {
                Err(XRayFault::Unsupported(format!("the keyword {known} of X-Ray's filter expressions")))
            }
            unknown => wrong(format!("`{unknown}` is not a keyword")),
        }
    }

    fn flag(&mut self, flag: Flag) -> Result<Filter, XRayFault> {
        let wanted = match (self.sign("="), self.sign("!=")) {
            (false, false) => return Ok(Filter::Flag(flag)),
            (equal, _) => self.boolean()? == equal,
        };
        let filter = Filter::Flag(flag);
        Ok(if wanted { filter } else { Filter::Not(Box::new(filter)) })
    }

    fn boolean(&mut self) -> Result<bool, XRayFault> {
        match self.next()? {
            Token::Word(word) if word == "true" => Ok(true),
            Token::Word(word) if word == "false" => Ok(false),
            other => wrong(format!("{} is neither `true` nor `false`", shown(&other))),
        }
    }

    fn operator<T: Copy>(&mut self, keyword: &str, table: &[(&str, T)]) -> Result<T, XRayFault> {
        let found = match self.next()? {
            Token::Sign(sign) => of(table, sign),
            Token::Word(word) => of(table, &word),
            _ => None,
        };
        let known: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        found.ok_or_else(|| XRayFault::Filter(format!("after `{keyword}` comes one of {}", known.join(" "))))
    }

    fn number(&mut self, keyword: &str) -> Result<f64, XRayFault> {
        match self.next()? {
            Token::Number(number) => Ok(number),
            other => wrong(format!("`{keyword}` is compared with a number, and {} is none", shown(&other))),
        }
    }

    fn text(&mut self, keyword: &str) -> Result<String, XRayFault> {
        match self.next()? {
            Token::Text(text) => Ok(text),
            other => wrong(format!("`{keyword}` is compared with a text in quotes, and {} is none", shown(&other))),
        }
    }

    fn annotation(&mut self, word: &str) -> Result<Filter, XRayFault> {
        if self.within {
            return wrong("annotation cannot be used within service or edge");
        }
        let key = match (word.strip_prefix("annotation."), self.tokens.get(self.at)) {
            (Some(key), _) if !key.is_empty() => key.to_owned(),
            (None, Some(Token::Key(key))) if !key.is_empty() => {
                let key = key.clone();
                self.at += 1;
                key
            }
            _ => return wrong("annotation needs a key: annotation[key]"),
        };
        let start = self.at;
        let operator = match self.tokens.get(start) {
            Some(Token::Sign(sign)) if of(ORDERS, sign).is_some() => (*sign).to_owned(),
            Some(Token::Word(word)) if of(MATCHES, word).is_some() => word.clone(),
            _ => return Ok(Filter::Annotation(key, Wanted::Present)),
        };
        self.at += 1;
        let wanted = match (self.next()?, of(ORDERS, &operator), of(MATCHES, &operator)) {
            (Token::Number(number), Some(order), _) => Wanted::Number(order, number),
            (Token::Text(text), _, Some(how)) => Wanted::Text(how, text),
            (Token::Word(word), Some(order @ (Order::Equal | Order::NotEqual)), _)
                if word == "true" || word == "false" =>
            {
                Wanted::Boolean((word == "true") == (order == Order::Equal))
            }
            (other, _, _) => return wrong(format!("{} cannot come after `{operator}`", shown(&other))),
        };
        Ok(Filter::Annotation(key, wanted))
    }

    fn service(&mut self) -> Result<Filter, XRayFault> {
        self.expect("(")?;
        let node = if self.sign(")") {
            Node::default()
        } else {
            self.node().and_then(|node| self.expect(")").map(|()| node))?
        };
        Ok(Filter::Service(node, self.braces()?))
    }

    fn edge(&mut self) -> Result<Filter, XRayFault> {
        self.expect("(")?;
        let (mut from, mut to) = (Node::default(), Node::default());
        if !self.sign(")") {
            from = self.node()?;
            self.expect(",")?;
            to = self.node()?;
            self.expect(")")?;
        }
        Ok(Filter::Edge(from, to, self.braces()?))
    }

    /// `"name"` or `id(name: "name", type: "AWS::Lambda")`.
    fn node(&mut self) -> Result<Node, XRayFault> {
        match self.next()? {
            Token::Text(name) => Ok(Node { name: Some(name), ..Node::default() }),
            Token::Word(word) if word == "id" => {
                self.expect("(")?;
                let mut node = Node::default();
                loop {
                    let Token::Word(part) = self.next()? else { return wrong("id() takes name, type and account.id") };
                    self.expect(":")?;
                    let value = Some(self.text(&part)?);
                    match part.as_str() {
                        "name" => node.name = value,
                        "type" => node.kind = value,
                        "account.id" => node.account = value,
                        other => return wrong(format!("id() takes name, type and account.id, not `{other}`")),
                    }
                    if self.sign(")") {
                        return Ok(node);
                    }
                    self.expect(",")?;
                }
            }
            other => wrong(format!("{} names no service", shown(&other))),
        }
    }

    fn braces(&mut self) -> Result<Option<Box<Filter>>, XRayFault> {
        if !self.sign("{") {
            return Ok(None);
        }
        let outside = std::mem::replace(&mut self.within, true);
        let filter = self.any()?;
        self.within = outside;
        self.expect("}")?;
        Ok(Some(Box::new(filter)))
    }

    /// A group stands for its own expression.
    fn in_group(&mut self) -> Result<Filter, XRayFault> {
        let how = self.operator("group.name", &[("=", true), ("!=", false)])?;
        let name = self.text("group.name")?;
        let none = |_: &str| None;
        let expression = (self.group)(&name).ok_or_else(|| XRayFault::Filter(format!("there is no group {name}")))?;
        let filter = parse(&expression, &none)?;
        Ok(if how { filter } else { Filter::Not(Box::new(filter)) })
    }
}
