//! Puts a data file where the lab wants it.

use crate::engine::run::{Run, expand};
use crate::engine::sources::sha256;
use crate::engine::walk::Done;
use crate::error::Failure;

/// Bucket and key of an `s3://bucket/key` address.
pub fn place(address: &str) -> Option<(&str, &str)> {
    address.strip_prefix("s3://")?.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
}

pub async fn upload(run: &Run<'_>, file: &str, to: &str) -> Result<Done, Failure> {
    let failed = || run.failure(format!("cannot upload data `{file}`"));
    let unknown = |name| failed().because(format!("nothing is called `{name}`, which `{to}` names"));
    let address = expand(to, &run.names()).map_err(unknown)?;
    let (bucket, key) =
        place(&address).ok_or_else(|| failed().because(format!("`{address}` is not s3://bucket/key")))?;
    let data = run.wanted.lab.data.iter().find(|data| data.name == file);
    let bytes = data.map(|data| data.bytes.clone()).ok_or_else(|| failed().because("the lab has no such file"))?;
    let digest = sha256(&bytes);
    let there = run.aws.object_digest(bucket, key).await.map_err(|error| failed().because(error))?;
    if there.as_deref() == Some(digest.as_str()) {
        return Ok(Done { did: "uploaded before".to_owned(), unchanged: true });
    }
    run.aws.put_object(bucket, key, bytes, &digest).await.map_err(|error| failed().because(error))?;
    Ok(Done::did(format!("uploaded to {address}")))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn an_address_has_a_bucket_and_a_key() {
        assert_eq!(place("s3://b/a/b.csv"), Some(("b", "a/b.csv")));
        for bad in ["b/a", "s3://b", "s3://b/", "s3:///a"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
