//! Where a template comes from: the request itself, a bucket, or what is deployed.

use serde_json::json;

use crate::cloud::Cloud;
use crate::scope::Scope;

use super::faults::CfnFault;

/// AWS's limits on the text, in bytes.
const MAX_BODY: usize = 51_200;
const MAX_OBJECT: usize = 1_048_576;

/// The template's text.
///
/// # Errors
/// Both or neither are given, the text is too long, or the object cannot be read.
pub(super) async fn text(
    cloud: &Cloud,
    scope: &Scope,
    body: Option<&str>,
    url: Option<&str>,
) -> Result<String, CfnFault> {
    match (body, url) {
        (Some(body), None) => {
            if body.len() > MAX_BODY {
                // The whole text is in AWS's message; the limit is what helps.
                return Err(CfnFault::validation(format_args!(
                    "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to {MAX_BODY}"
                )));
            }
            Ok(body.to_owned())
        }
        (None, Some(url)) => object(cloud, scope, url).await,
        (Some(_), Some(_)) => Err(CfnFault::validation("Template Body and Template URL cannot both be specified.")),
        (None, None) => Err(CfnFault::validation("Either Template URL or Template Body must be specified.")),
    }
}

async fn object(cloud: &Cloud, scope: &Scope, url: &str) -> Result<String, CfnFault> {
    let (bucket, key) = locate(url).ok_or_else(|| CfnFault::validation("TemplateURL must be a supported URL."))?;
    let input = json!({"Bucket": bucket, "Key": key});
    let reply = cloud.call_with_body(scope, ("s3", "GetObject"), input, bytes::Bytes::new()).await;
    let reply = reply.map_err(|fault| CfnFault::validation(format_args!("S3 error: {}", fault.message)))?;
    let bytes = match &reply.file {
        Some(file) => {
            tokio::fs::read(file).await.map_err(|error| CfnFault::validation(format_args!("S3 error: {error}")))?
        }
        None => reply.body.to_vec(),
    };
    if bytes.len() > MAX_OBJECT {
        return Err(CfnFault::validation(format_args!("Template may not exceed {MAX_OBJECT} bytes in size.")));
    }
    String::from_utf8(bytes).map_err(|_| CfnFault::validation("Template format error: unsupported structure."))
}

/// Bucket and key of an S3 URL: `bucket.s3…/key` or `host/bucket/key` (S3's own host, or this endpoint's).
fn locate(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/')?;
    let path = path.split(['?', '#']).next()?;
    let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    let host = host.split(':').next()?;
    let virtual_bucket = host.find(".s3.").or_else(|| host.find(".s3-")).map(|at| &host[..at]);
    let (bucket, key) = match virtual_bucket {
        Some(bucket) => (bucket, path.as_ref()),
        None if host.starts_with("s3.") || host.starts_with("s3-") || is_loopback(host) => path.split_once('/')?,
        None => return None,
    };
    (!bucket.is_empty() && !key.is_empty()).then(|| (bucket.to_owned(), key.to_owned()))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host == "127.0.0.1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_s3_url_is_understood_and_others_are_not() {
        let found = Some(("b".to_owned(), "k/t.yaml".to_owned()));
        for url in [
            "https://b.s3.amazonaws.com/k/t.yaml",
            "https://b.s3.us-east-1.amazonaws.com/k/t.yaml?versionId=1",
            "https://s3.us-east-1.amazonaws.com/b/k/t.yaml",
            "https://s3-eu-west-1.amazonaws.com/b/k/t.yaml",
            "http://127.0.0.1:4566/b/k%2Ft.yaml",
        ] {
            assert_eq!(locate(url), found, "{url}");
        }
        for url in ["https://example.com/b/k", "s3://b/k", "https://s3.amazonaws.com/b"] {
            assert_eq!(locate(url), None, "{url}");
        }
    }
}
