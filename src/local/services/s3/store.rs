//! All buckets of the local cloud, and where they lie on disk:
//! `state/s3/buckets/<bucket>.jsonl` (the index) and `state/s3/objects/<bucket>/<opaque name>` (content).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::Value;

use crate::clock::Clock;
use crate::ids::Ids;
use crate::store::StoreError;

use super::bucket::{Bucket, journal_path};
use super::content::discard;
use super::faults::S3Fault;

/// Bucket names are one namespace over all regions.
pub(super) struct Store {
    root: PathBuf,
    pub(super) clock: Clock,
    pub(super) ids: Ids,
    buckets: RwLock<BTreeMap<String, Arc<Bucket>>>,
    /// Buckets are made and removed one at a time.
    changing: Mutex<()>,
}

/// The wish for a new bucket.
#[derive(Debug, Default)]
pub(super) struct NewBucket {
    pub name: String,
    pub region: String,
    pub configurations: BTreeMap<String, Value>,
}

impl Store {
    /// Reads what an earlier run left and sweeps what nothing refers to.
    pub(super) fn open(root: PathBuf, clock: Clock, ids: Ids) -> Result<Self, StoreError> {
        let buckets = read_buckets(&root, &clock)?;
        Ok(Store { root, clock, ids, buckets: RwLock::new(buckets), changing: Mutex::new(()) })
    }

    pub(super) fn bucket(&self, name: &str) -> Result<Arc<Bucket>, S3Fault> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(name).cloned().ok_or_else(|| S3Fault::NoSuchBucket(name.into()))
    }

    pub(super) fn buckets(&self) -> Vec<Arc<Bucket>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Makes a bucket. In us-east-1 making one's own bucket again succeeds and changes nothing, as AWS does it.
    pub(super) fn create_bucket(&self, new: NewBucket) -> Result<(), S3Fault> {
        check_bucket_name(&new.name)?;
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bucket(&new.name).is_ok() {
            return if new.region == "us-east-1" { Ok(()) } else { Err(S3Fault::BucketAlreadyOwnedByYou) };
        }
        let bucket = Bucket::create(&new.name, &self.root, &self.clock, &new.region, new.configurations)?;
        self.buckets.write().unwrap_or_else(PoisonError::into_inner).insert(new.name, Arc::new(bucket));
        Ok(())
    }

    pub(super) fn delete_bucket(&self, name: &str) -> Result<(), S3Fault> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = self.bucket(name)?;
        bucket.remove(&self.root)?;
        self.buckets.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }

    /// A fresh place for a content file.
    pub(super) fn new_path(&self, bucket: &Bucket) -> PathBuf {
        bucket.path(&self.ids.lower(32))
    }
}

fn read_buckets(root: &Path, clock: &Clock) -> Result<BTreeMap<String, Arc<Bucket>>, StoreError> {
    let (journals, objects) = (root.join("buckets"), root.join("objects"));
    let failed = |path: &Path, source: io::Error| StoreError::new(path, "read", source);
    for directory in [&journals, &objects] {
        std::fs::create_dir_all(directory).map_err(|source| StoreError::new(directory, "make", source))?;
    }
    let mut buckets = BTreeMap::new();
    for entry in std::fs::read_dir(&journals).map_err(|source| failed(&journals, source))? {
        let path = entry.map_err(|source| failed(&journals, source))?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        match file.strip_suffix(".jsonl").filter(|name| check_bucket_name(name).is_ok()) {
            Some(name) => {
                let bucket = Bucket::open(name, root, clock).map_err(|source| failed(&path, source))?;
                buckets.insert(name.to_owned(), Arc::new(bucket));
            }
            None => discard(&path),
        }
    }
    for entry in std::fs::read_dir(&objects).map_err(|source| failed(&objects, source))? {
        let path = entry.map_err(|source| failed(&objects, source))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !journal_path(root, &name).exists() {
            std::fs::remove_dir_all(&path).map_err(|source| StoreError::new(&path, "remove", source))?;
        }
    }
    Ok(buckets)
}

/// AWS's rules for names of general purpose buckets.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
pub(super) fn check_bucket_name(name: &str) -> Result<(), S3Fault> {
    let forbidden = ["sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|suffix| name.ends_with(suffix));
    if forbidden || !s3s::path::check_bucket_name(name) || name.contains(".-") || name.contains("-.") {
        return Err(S3Fault::InvalidBucketName);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_follow_the_rules_of_aws() {
        for good in ["abc", "a-b", "my.bucket.1", "000", &"a".repeat(63)] {
            assert!(check_bucket_name(good).is_ok(), "{good}");
        }
        let bad = [
            "ab",
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            "a..b",
            "192.168.5.4",
            "xn--abc",
            "abc-s3alias",
            "a.-b",
            "..",
            &"a".repeat(64),
        ];
        for bad in bad {
            assert_eq!(check_bucket_name(bad), Err(S3Fault::InvalidBucketName), "{bad}");
        }
    }
}
