//! The words of a filter expression.

use crate::services::xray::faults::XRayFault;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `fault`, `http.url`, `AND`, `true`.
    Word(String),
    /// What stands between `[` and `]`.
    Key(String),
    Text(String),
    Number(f64),
    /// `(`, `{`, `!=`, …
    Sign(&'static str),
}

const SIGNS: &[&str] = &["!=", "<=", ">=", "=", "<", ">", "!", "(", ")", "{", "}", ",", ":"];

/// Splits an expression into words.
///
/// # Errors
/// A text that does not end, a sign that means nothing.
pub(super) fn words(text: &str) -> Result<Vec<Token>, XRayFault> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '"' | '\'' => quoted(rest, first)?,
            '[' => {
                let end = rest.find(']').ok_or_else(|| XRayFault::Filter("a `[` has no `]`".into()))?;
                let key = rest[1..end].trim().trim_matches(['"', '\'']);
                (Token::Key(key.to_owned()), &rest[end + 1..])
            }
            c if c.is_ascii_digit()
                || ((c == '-' || c == '.') && rest[1..].starts_with(|c: char| c.is_ascii_digit())) =>
            {
                number(rest)?
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || "_.-".contains(c))).unwrap_or(rest.len());
                (Token::Word(rest[..end].to_owned()), &rest[end..])
            }
            c => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| XRayFault::Filter(format!("`{c}` means nothing here")))?;
                (Token::Sign(sign), &rest[sign.len()..])
            }
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn quoted(text: &str, quote: char) -> Result<(Token, &str), XRayFault> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c if c == quote => return Ok((Token::Text(value), &text[at + 1..])),
            c => value.push(c),
        }
    }
    Err(XRayFault::Filter(format!("the text {text} has no end")))
}

fn number(text: &str) -> Result<(Token, &str), XRayFault> {
    let signed = |(at, c): &(usize, char)| c.is_ascii_digit() || "._eE".contains(*c) || (*at == 0 && *c == '-');
    let end = text.char_indices().take_while(signed).last().map_or(0, |(at, c)| at + c.len_utf8());
    let value = text[..end].parse().map_err(|_| XRayFault::Filter(format!("`{}` is no number", &text[..end])))?;
    Ok((Token::Number(value), &text[end..]))
}
