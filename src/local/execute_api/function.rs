//! The function behind an integration.

/// The function's ARN in `arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations`.
pub(crate) fn lambda_arn(uri: &str) -> Option<&str> {
    let rest = uri.strip_prefix("arn:aws:apigateway:")?;
    let (_, rest) = rest.split_once(":lambda:path/")?;
    let (_, rest) = rest.split_once("/functions/")?;
    rest.strip_suffix("/invocations").filter(|arn| arn.starts_with("arn:aws:lambda:"))
}

/// A URI with the stage's variables put in for `${stageVariables.NAME}`.
pub(crate) fn with_variables<'v>(uri: &str, variables: impl IntoIterator<Item = (&'v String, &'v String)>) -> String {
    let mut uri = uri.to_owned();
    for (name, value) in variables {
        uri = uri.replace(&format!("${{stageVariables.{name}}}"), value);
    }
    uri
}
