//! The text of `Fn::Sub`, taken apart.

/// A piece of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// The name between `${` and `}`.
    Variable(String),
}

/// AWS's sentence about a bad name.
pub const BAD_NAME: &str = "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons";

/// Takes the text apart. `${!Name}` is the text `${Name}`; a `${` that nothing closes is text.
pub fn pieces(text: &str) -> Result<Vec<Piece>, &'static str> {
    let mut found = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let after = &rest[start + 2..];
        let Some(end) = after.find('}') else { break };
        literal.push_str(&rest[..start]);
        let name = &after[..end];
        if let Some(escaped) = name.strip_prefix('!') {
            literal.push_str("${");
            literal.push_str(escaped);
            literal.push('}');
        } else {
            let name = name.trim();
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':')) {
                return Err(BAD_NAME);
            }
            if !literal.is_empty() {
                found.push(Piece::Text(std::mem::take(&mut literal)));
            }
            found.push(Piece::Variable(name.to_owned()));
        }
        rest = &after[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        found.push(Piece::Text(literal));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{BAD_NAME, Piece, pieces};

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    fn variable(name: &str) -> Piece {
        Piece::Variable(name.to_owned())
    }

    #[test]
    fn variables_literals_and_text_are_told_apart() {
        assert_eq!(pieces("a-${B}-${C.D}"), Ok(vec![text("a-"), variable("B"), text("-"), variable("C.D")]));
        assert_eq!(pieces("${!B}${AWS::Region}"), Ok(vec![text("${B}"), variable("AWS::Region")]));
        assert_eq!(pieces("$${B} ${"), Ok(vec![text("$"), variable("B"), text(" ${")]));
        assert_eq!(pieces(""), Ok(vec![]));
    }

    #[test]
    fn a_name_that_aws_refuses_is_refused() {
        assert_eq!(pieces("${}"), Err(BAD_NAME));
        assert_eq!(pieces("${a b}"), Err(BAD_NAME));
        assert_eq!(pieces("${a-b}"), Err(BAD_NAME));
    }
}
