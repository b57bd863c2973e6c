//! How a request names a function: by name, partial or full ARN, each with or without a qualifier.

use super::faults::LambdaFault;
use crate::scope::Scope;

/// The qualifier of the code and configuration that can be changed.
pub(super) const LATEST: &str = "$LATEST";

/// A function and, where the request gives one, a version or alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub name: String,
    pub qualifier: Option<String>,
}

fn is_name(text: &str, dollar: bool) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || (dollar && c == '$'))
}

impl Target {
    /// Reads `FunctionName` and `Qualifier`; both may hold the qualifier, but not two different ones.
    pub(super) fn parse(name: &str, qualifier: Option<&str>) -> Result<Self, LambdaFault> {
        let refused = || {
            LambdaFault::invalid(format!(
                "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: \
                 Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}(-gov)?-[a-z]+-\\d{{1}}:)?\
                 (\\d{{12}}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
            ))
        };
        let parts: Vec<&str> = name.split(':').collect();
        let (bare, inner) = match parts.as_slice() {
            ["arn", _, "lambda", _, _, "function", bare] | [_, "function", bare] | ["function", bare] | [bare] => {
                (*bare, None)
            }
            ["arn", _, "lambda", _, _, "function", bare, inner] | [_, "function", bare, inner] => (*bare, Some(*inner)),
            [bare, inner] => (*bare, Some(*inner)),
            _ => return Err(refused()),
        };
        if !is_name(bare, false) || bare.len() > 64 || inner.is_some_and(|inner| !is_name(inner, true)) {
            return Err(refused());
        }
        if let (Some(inner), Some(outer)) = (inner, qualifier)
            && inner != outer
        {
            return Err(LambdaFault::invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        let qualifier = qualifier.or(inner);
        if qualifier.is_some_and(|qualifier| !is_name(qualifier, true)) {
            return Err(refused());
        }
        Ok(Target { name: bare.to_owned(), qualifier: qualifier.map(str::to_owned) })
    }

    /// For operations that do not take a qualifier.
    pub(super) fn unqualified(name: &str) -> Result<Self, LambdaFault> {
        Target::parse(name, None)
    }

    pub(super) fn arn(&self, scope: &Scope) -> String {
        let arn = scope.arn("lambda", format!("function:{}", self.name));
        match &self.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_in_every_way_that_aws_takes() {
        let cases = [
            ("f", None, Some(("f", None))),
            ("f:1", None, Some(("f", Some("1")))),
            ("f", Some("live"), Some(("f", Some("live")))),
            ("000000000000:function:f", None, Some(("f", None))),
            ("arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST", None, Some(("f", Some("$LATEST")))),
            ("arn:aws:lambda:us-east-1:000000000000:function:f", Some("2"), Some(("f", Some("2")))),
            ("f:1", Some("2"), None),
            ("bad name", None, None),
            ("../f", None, None),
            ("", None, None),
        ];
        for (name, qualifier, expected) in cases {
            let found = Target::parse(name, qualifier).ok();
            let found = found.as_ref().map(|target| (target.name.as_str(), target.qualifier.as_deref()));
            assert_eq!(found, expected, "{name} {qualifier:?}");
        }
        assert!(Target::parse(&"x".repeat(65), None).is_err());
    }
}
