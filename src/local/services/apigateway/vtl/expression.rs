//! From template text to a tree: references and expressions.

use serde_json::Value;

use super::known;
use super::parse::{Parsed, Parser, TemplateError};
use super::tree::{Expression, Node, Operator, Reference, Step, Template};

/// A chain of operators is a tree as deep as it is long.
const MOST_OPERATORS: usize = 256;

impl<'t> Parser<'t> {
    /// At `$`: a reference, or nothing if the sign stands alone.
    pub(super) fn reference(&mut self) -> Parsed<Option<Reference>> {
        let start = self.at;
        if !self.eat("$") {
            return Ok(None);
        }
        // `$!name` is `$name` without a value printed as nothing, which it is here in any case.
        self.eat("!");
        let braced = self.eat("{");
        let name = self.name().to_owned();
        if name.is_empty() {
            self.at = start;
            return Ok(None);
        }
        let mut steps = Vec::new();
        while let Some(step) = self.step()? {
            steps.push(step);
        }
        if braced {
            self.expect("}")?;
        }
        let mut reference = Reference { name, steps };
        known::read(&mut reference)?;
        Ok(Some(reference))
    }

    fn step(&mut self) -> Parsed<Option<Step>> {
        let before = self.at;
        if self.eat("[") {
            let index = self.deeper(Self::parameter)?;
            self.expect("]")?;
            return Ok(Some(Step::Index(index)));
        }
        if !self.eat(".") {
            return Ok(None);
        }
        let name = self.name().to_owned();
        if name.is_empty() {
            // The full stop of a sentence.
            self.at = before;
            return Ok(None);
        }
        Ok(Some(match self.eat("(") {
            true => Step::Method(name, self.deeper(|parser| parser.list(")"))?, None),
            false => Step::Property(name),
        }))
    }

    /// What can stand as an argument, an index or in a list, as in Velocity 1.7: nothing that is calculated.
    pub(super) fn parameter(&mut self) -> Parsed<Expression> {
        let parameter = self.argument()?;
        self.spaces();
        let after = self.at;
        match self.operator(0)? {
            None => Ok(parameter),
            Some(_) => Err(self.calculated(&self.text[after..self.at])),
        }
    }

    /// The same, where what follows can be another one: `#pair('a' -1)`.
    pub(super) fn argument(&mut self) -> Parsed<Expression> {
        self.spaces();
        if self.rest().starts_with('(') {
            return Err(self.calculated("("));
        }
        match self.operand()? {
            Expression::Not(_) => Err(self.calculated("!")),
            argument => Ok(argument),
        }
    }

    fn calculated(&self, sign: &str) -> TemplateError {
        self.invalid(&format!("'{sign}' cannot stand in arguments, indices, lists and maps: #set a variable before"))
    }

    /// Parameters between commas, up to what closes them.
    fn list(&mut self, close: &str) -> Parsed<Vec<Expression>> {
        let mut items = Vec::new();
        self.spaces();
        while !self.eat(close) {
            items.push(self.parameter()?);
            self.comma(close)?;
        }
        Ok(items)
    }

    /// A comma, or what closes the list and is left there.
    fn comma(&mut self, close: &str) -> Parsed<()> {
        self.spaces();
        if !self.eat(",") && !self.rest().starts_with(close) {
            return Err(self.invalid(&format!("',' or '{close}' is missing")));
        }
        self.spaces();
        Ok(())
    }

    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        self.binary(0)
    }

    /// Operands and the operators between them that bind as tightly as those of `level`, or tighter.
    fn binary(&mut self, level: usize) -> Parsed<Expression> {
        let (mut left, mut source) = self.with_source(Self::operand)?;
        while let Some((operator, at)) = self.operator(level)? {
            let (mut right, source_of_right) = self.with_source(|parser| parser.binary(at + 1))?;
            if operator == Operator::Add {
                (left, right) = (left.beside_plus(source), right.beside_plus(source_of_right));
            }
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
            source = "";
        }
        Ok(left)
    }

    /// What is parsed, and how it is written.
    fn with_source(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<Expression>) -> Parsed<(Expression, &'t str)> {
        self.spaces();
        let start = self.at;
        let parsed = parse(self)?;
        Ok((parsed, self.text[start..self.at].trim_end()))
    }

    /// The next operator and its level, if there is one of `loosest` or above.
    fn operator(&mut self, loosest: usize) -> Parsed<Option<(Operator, usize)>> {
        self.spaces();
        let before = self.at;
        let word = self.name();
        self.at = before;
        for (level, operators) in Operator::LEVELS.iter().enumerate().skip(loosest) {
            for (sign, operator) in *operators {
                let found = if word.is_empty() { self.rest().starts_with(sign) } else { *sign == word };
                if found {
                    self.at += sign.len();
                    self.one_more_operator()?;
                    return Ok(Some((*operator, level)));
                }
            }
        }
        Ok(None)
    }

    fn one_more_operator(&mut self) -> Parsed<()> {
        self.operators += 1;
        if self.operators > MOST_OPERATORS {
            return Err(self.invalid("the expression has too many operators"));
        }
        Ok(())
    }

    pub(super) fn operand(&mut self) -> Parsed<Expression> {
        self.spaces();
        let rest = self.rest();
        match rest.chars().next() {
            Some('!') => {
                self.at += 1;
                self.negated()
            }
            Some('(') => {
                self.at += 1;
                let inner = self.deeper(Self::expression)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some('[') => {
                self.at += 1;
                self.deeper(Self::list_or_range)
            }
            Some('{') => {
                self.at += 1;
                self.deeper(Self::map)
            }
            Some('$') => match self.reference()? {
                Some(reference) => Ok(Expression::Reference(reference)),
                None => Err(self.invalid("a name must follow $")),
            },
            Some('\'') => self.quoted('\'').map(|text| Expression::Literal(Value::String(text))),
            Some('"') => self.deeper(Self::text),
            Some(c) if c.is_ascii_digit() || c == '-' || c == '.' => self.number(),
            _ => match self.word() {
                "true" => Ok(Expression::Literal(Value::Bool(true))),
                "false" => Ok(Expression::Literal(Value::Bool(false))),
                "null" => {
                    Err(self.invalid("'null' is no word of Velocity 1.7: a variable that nobody sets is, as $null"))
                }
                "not" => self.negated(),
                other => Err(self.invalid(&format!("'{other}' is not expected there"))),
            },
        }
    }

    fn negated(&mut self) -> Parsed<Expression> {
        self.one_more_operator()?;
        Ok(Expression::Not(Box::new(self.operand()?)))
    }

    /// A string in double quotes: a template of its own, on this line and as deep as it stands.
    fn text(&mut self) -> Parsed<Expression> {
        let line = self.line();
        let text = self.quoted('"')?;
        if !text.contains(['$', '#']) {
            return Ok(Expression::Literal(Value::String(text)));
        }
        let template = Template::parse_within(&text, line, self.depth)?;
        self.macros.extend(template.macros);
        // `"$.name"` is a text after all.
        let plain = |node: &Node| if let Node::Text(text) = node { Some(text.clone()) } else { None };
        Ok(match template.nodes.iter().map(plain).collect::<Option<String>>() {
            Some(text) => Expression::Literal(Value::String(text)),
            None => Expression::Text(template.nodes),
        })
    }

    fn list_or_range(&mut self) -> Parsed<Expression> {
        self.spaces();
        if self.eat("]") {
            return Ok(Expression::List(Vec::new()));
        }
        let first = self.parameter()?;
        self.spaces();
        if self.eat("..") {
            let last = self.parameter()?;
            self.expect("]")?;
            return Ok(Expression::Range(Box::new(first), Box::new(last)));
        }
        let mut items = vec![first];
        self.comma("]")?;
        items.extend(self.list("]")?);
        Ok(Expression::List(items))
    }

    fn map(&mut self) -> Parsed<Expression> {
        let mut entries = Vec::new();
        self.spaces();
        while !self.eat("}") {
            let key = self.parameter()?;
            self.expect(":")?;
            entries.push((key, self.parameter()?));
            self.comma("}")?;
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

    /// `7`, `-7`, `2.5`, `.5`, `1e3`. `1..3` is a range.
    fn number(&mut self) -> Parsed<Expression> {
        let rest = self.rest();
        let digits = |from: usize| {
            let text = &rest[from..];
            from + text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
        };
        let mut end = digits(usize::from(rest.starts_with('-')));
        let whole = end;
        if rest[end..].starts_with('.') && !rest[end..].starts_with("..") {
            end = digits(end + 1);
        }
        if let Some(power) = rest[end..].strip_prefix(['e', 'E']) {
            let signed = usize::from(power.starts_with(['+', '-']));
            if power[signed..].starts_with(|c: char| c.is_ascii_digit()) {
                end = digits(end + 1 + signed);
            }
        }
        let broken = || self.invalid("a number is broken");
        let text = &rest[..end];
        let value = if end == whole {
            text.parse::<i64>().map(Value::from).map_err(|_| broken())?
        } else {
            text.parse::<f64>().map(Value::from).map_err(|_| broken())?
        };
        self.at += end;
        Ok(Expression::Literal(value))
    }
}
