//! From template text to a tree: text and directives. What ends a line after a directive is part of the directive, as in
//! Velocity 1.7.

use std::sync::Arc;

use super::known::{check_variable, unsupported};
use super::tree::{Expression, Macro, Macros, Node, Template};

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::services::apigateway) enum TemplateError {
    /// Broken in Velocity's own terms.
    Invalid(String),
    /// Velocity or API Gateway knows it, and this local cloud does not.
    Unsupported(String),
}

impl TemplateError {
    pub(super) fn into_text(self) -> String {
        match self {
            TemplateError::Invalid(why) => why,
            TemplateError::Unsupported(what) => format!("The local cloud does not support {what}."),
        }
    }
}

pub(super) type Parsed<T> = Result<T, TemplateError>;

/// Nesting of blocks, brackets and texts that no honest template has.
pub(super) const DEEPEST: usize = 64;
/// Before the words of directives a backslash is not only a backslash.
const DIRECTIVES: &[&str] = &[
    "set", "if", "elseif", "else", "end", "foreach", "define", "macro", "evaluate", "break", "stop", "parse", "include",
];
/// The quota of mapping templates.
const LONGEST: usize = 300 * 1024;

impl Template {
    pub(in crate::services::apigateway) fn parse(text: &str) -> Parsed<Self> {
        Template::parse_within(text, 1, 0)
    }

    /// A template that stands in another one: there it begins at `line`, `depth` levels down.
    pub(super) fn parse_within(text: &str, line: usize, depth: usize) -> Parsed<Self> {
        let mut parser = Parser { text, at: 0, line, depth, operators: 0, macros: Macros::new() };
        if text.len() > LONGEST {
            return Err(parser.invalid("the template is larger than 300 KB"));
        }
        let (nodes, end) = parser.nodes()?;
        match end {
            None => Ok(Template { nodes, macros: parser.macros }),
            Some(end) => Err(parser.invalid(&format!("#{end} without the directive that it belongs to"))),
        }
    }
}

pub(super) struct Parser<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
    /// The line on which the text begins.
    line: usize,
    pub(super) depth: usize,
    /// In the directive or reference at hand.
    pub(super) operators: usize,
    pub(super) macros: Macros,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

impl<'t> Parser<'t> {
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn line(&self) -> usize {
        self.line + self.text[..self.at].matches('\n').count()
    }

    pub(super) fn invalid(&self, why: &str) -> TemplateError {
        TemplateError::Invalid(format!("line {}: {why}", self.line()))
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn expect(&mut self, text: &str) -> Parsed<()> {
        self.spaces();
        if self.eat(text) { Ok(()) } else { Err(self.invalid(&format!("'{text}' is missing"))) }
    }

    pub(super) fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Letters, digits, `_` and `-`.
    pub(super) fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A directive's name: unlike that of a reference it has no hyphen, so that `#end-` ends a block.
    fn directive_name(&mut self) -> &'t str {
        let start = self.at;
        let name = self.name().split('-').next().unwrap_or_default();
        self.at = start + name.len();
        name
    }

    /// A word that begins as names do, or nothing.
    pub(super) fn name(&mut self) -> &'t str {
        if self.rest().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { self.word() } else { "" }
    }

    pub(super) fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.invalid(&format!("the template is nested deeper than {DEEPEST} levels")));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// The end of the line, if nothing but blanks is before it.
    fn end_of_line(&mut self) {
        let rest = self.rest();
        let after = rest.trim_start_matches([' ', '\t']);
        if let Some(next) = after.strip_prefix("\r\n").or_else(|| after.strip_prefix(['\n', '\r'])) {
            self.at += rest.len() - next.len();
        }
    }

    /// The bracket that closes a directive.
    fn close(&mut self) -> Parsed<()> {
        self.expect(")")?;
        self.end_of_line();
        Ok(())
    }

    /// Nodes up to the end of the text, or of the block: then with the directive that ends it.
    pub(super) fn nodes(&mut self) -> Parsed<(Vec<Node>, Option<&'static str>)> {
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
                '\\' => self.escaped(&mut nodes),
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

    /// At backslashes. Before a reference or a directive two are one, and a single one makes it text; anywhere else they are
    /// what they are. Whether a reference stands for something, and is one, is known when the template is rendered.
    fn escaped(&mut self, nodes: &mut Vec<Node>) {
        let rest = self.rest();
        let after = rest.trim_start_matches('\\');
        let slashes = &rest[..rest.len() - after.len()];
        let (kept, odd) = (&slashes[..slashes.len() / 2], slashes.len() % 2);
        self.at += slashes.len();
        let (start, depth) = (self.at, self.depth);
        if let Some(name) = after.strip_prefix('#') {
            let known = self.at_directive(name);
            let sign = if known { odd } else { 0 };
            self.at += sign;
            nodes.push(Node::Text(format!("{}{}", if known { kept } else { slashes }, &after[..sign])));
            return;
        }
        let reference = self.reference();
        let source = &self.text[start..self.at];
        match reference {
            Ok(Some(reference)) if odd == 1 => {
                nodes.extend([Node::Text(kept.to_owned()), Node::Escaped(reference, source.to_owned())]);
            }
            reference => {
                // One that cannot be read has no value; behind two backslashes it is read once more, and refused.
                let sign = if reference.is_err() { odd } else { 0 };
                (self.at, self.depth) = (start + sign, depth);
                let slashes = if matches!(reference, Ok(None)) || sign == 1 { slashes } else { kept };
                nodes.push(Node::Text(format!("{slashes}{}", &after[..sign])));
            }
        }
    }

    /// Whether a text, after its `#`, begins with the name of a directive or of a macro.
    fn at_directive(&self, text: &str) -> bool {
        let text = text.strip_prefix('{').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        DIRECTIVES.contains(&&text[..end]) || self.macros.contains_key(&text[..end])
    }

    /// At `#`: a comment, text as it is, or nothing of both.
    fn aside(&mut self, nodes: &mut Vec<Node>) -> Parsed<bool> {
        if self.eat("##") {
            let rest = self.rest();
            self.at += rest.find('\n').map_or(rest.len(), |end| end + 1);
        } else if self.eat("#*") {
            let end = self.rest().find("*#").ok_or_else(|| self.invalid("a comment is not closed"))?;
            self.at += end + 2;
        } else if self.eat("#[[") {
            let end = self.rest().find("]]#").ok_or_else(|| self.invalid("']]#' is missing"))?;
            nodes.push(Node::Text(self.rest()[..end].to_owned()));
            self.at += end + 3;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// At `#`: a directive, or plain text. The name of a directive that ends a block is given back.
    fn directive(&mut self, nodes: &mut Vec<Node>) -> Parsed<Option<&'static str>> {
        if self.aside(nodes)? {
            return Ok(None);
        }
        let start = self.at;
        self.at += 1;
        let braced = self.eat("{");
        let block = self.rest().starts_with('@');
        let name = self.directive_name();
        if braced && !self.eat("}") {
            self.at = start + 1;
            nodes.push(Node::Text("#".into()));
            return Ok(None);
        }
        if let Some(end) = ["end", "else", "elseif"].into_iter().find(|end| *end == name) {
            if name != "elseif" {
                self.end_of_line();
            }
            return Ok(Some(end));
        }
        let node = match name {
            "set" => {
                // It is invisible: the blanks before it belong to it.
                if let Some(Node::Text(before)) = nodes.last_mut() {
                    before.truncate(before.trim_end_matches([' ', '\t']).len());
                }
                self.set()?
            }
            "if" => self.deeper(Self::if_block)?,
            "foreach" => self.deeper(Self::for_each)?,
            "define" => self.deeper(Self::define)?,
            "macro" => {
                self.deeper(Self::define_macro)?;
                return Ok(None);
            }
            "evaluate" => self.deeper(Self::evaluate)?,
            "break" => Node::Break,
            "stop" => Node::Stop,
            "parse" | "include" => return unsupported(format!("the directive #{name}")),
            _ if block => return unsupported("the directive #@"),
            _ => self.call(name, start).unwrap_or_else(|| {
                self.at = start + 1;
                Node::Text("#".into())
            }),
        };
        nodes.push(node);
        Ok(None)
    }

    fn set(&mut self) -> Parsed<Node> {
        self.expect("(")?;
        self.spaces();
        let target = self.reference()?.ok_or_else(|| self.invalid("#set needs a reference"))?;
        check_variable("#set", &target.name)?;
        self.expect("=")?;
        let value = self.expression()?;
        self.close()?;
        Ok(Node::Set { target, value })
    }

    /// A condition in the brackets of a directive.
    fn condition(&mut self) -> Parsed<Expression> {
        self.expect("(")?;
        let condition = self.expression()?;
        self.close()?;
        Ok(condition)
    }

    fn if_block(&mut self) -> Parsed<Node> {
        let mut branches = Vec::new();
        let mut condition = self.condition()?;
        loop {
            let (body, end) = self.nodes()?;
            branches.push((condition, body));
            match end {
                Some("elseif") => condition = self.condition()?,
                Some("else") => {
                    let otherwise = self.body("#else")?;
                    return Ok(Node::If { branches, otherwise });
                }
                Some(_) => return Ok(Node::If { branches, otherwise: Vec::new() }),
                None => return Err(self.invalid("#if needs its #end")),
            }
        }
    }

    /// Everything up to the `#end`.
    fn body(&mut self, directive: &str) -> Parsed<Vec<Node>> {
        match self.nodes()? {
            (body, Some("end")) => Ok(body),
            _ => Err(self.invalid(&format!("{directive} needs its #end"))),
        }
    }

    /// `$name`, with nothing behind it.
    fn variable(&mut self, directive: &str) -> Parsed<String> {
        self.spaces();
        let reference = self.reference()?.filter(|reference| reference.steps.is_empty());
        let name = reference.ok_or_else(|| self.invalid(&format!("{directive} needs a variable")))?.name;
        check_variable(directive, &name)?;
        Ok(name)
    }

    fn for_each(&mut self) -> Parsed<Node> {
        self.expect("(")?;
        let variable = self.variable("#foreach")?;
        self.expect("in")?;
        let list = self.parameter()?;
        self.close()?;
        Ok(Node::ForEach { variable, list, body: self.body("#foreach")? })
    }

    fn evaluate(&mut self) -> Parsed<Node> {
        self.expect("(")?;
        let text = self.parameter()?;
        self.close()?;
        Ok(Node::Evaluate { text, depth: self.depth })
    }

    fn define(&mut self) -> Parsed<Node> {
        self.expect("(")?;
        let variable = self.variable("#define")?;
        self.close()?;
        Ok(Node::Define { variable, body: self.body("#define")?.into() })
    }

    fn define_macro(&mut self) -> Parsed<()> {
        self.expect("(")?;
        self.spaces();
        let name = self.directive_name().to_owned();
        if name.is_empty() {
            return Err(self.invalid("#macro needs a name"));
        }
        let mut parameters = Vec::new();
        loop {
            self.spaces();
            self.eat(",");
            self.spaces();
            if self.rest().starts_with(')') {
                break;
            }
            parameters.push(self.variable("#macro")?);
        }
        self.close()?;
        let body = self.body("#macro")?;
        self.macros.insert(name, Arc::new(Macro { parameters, body }));
        Ok(())
    }

    /// `#name(…)`, which may be a macro of this template. Anything else is text.
    fn call(&mut self, name: &str, start: usize) -> Option<Node> {
        let depth = self.depth;
        if name.is_empty() || !self.eat("(") {
            return None;
        }
        let arguments = self.deeper(Self::call_arguments);
        self.depth = depth;
        let arguments = arguments.ok()?;
        self.end_of_line();
        let source = self.text[start..self.at].to_owned();
        Some(Node::Call { name: name.to_owned(), arguments, source })
    }

    /// Between blanks or commas.
    fn call_arguments(&mut self) -> Parsed<Vec<Expression>> {
        let mut arguments = Vec::new();
        loop {
            self.spaces();
            if self.eat(")") {
                return Ok(arguments);
            }
            arguments.push(self.argument()?);
            self.spaces();
            self.eat(",");
        }
    }
}
