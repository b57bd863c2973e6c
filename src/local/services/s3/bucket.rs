//! One bucket: an index in memory, its journal on disk, and its content files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use serde_json::Value;

use crate::clock::{Clock, Timestamp};

use super::content::discard;
use super::faults::S3Fault;
use super::journal::Journal;
use super::record::{Entry, NULL_VERSION, Upload, Version};

/// What a bucket holds. Keys are in byte order; the versions of a key run from the oldest to the latest.
#[derive(Debug)]
pub(super) struct Index {
    pub created: Timestamp,
    pub region: String,
    pub configurations: BTreeMap<String, Value>,
    pub keys: BTreeMap<String, Vec<Arc<Version>>>,
    pub uploads: BTreeMap<String, Upload>,
}

/// Whether overwritten and deleted objects are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

/// How long a file stays that was overwritten or deleted while somebody may still read it in place.
const LENT_FOR_MILLIS: i64 = 10 * 60 * 1000;

pub(super) struct Bucket {
    pub name: String,
    objects: PathBuf,
    clock: Clock,
    index: RwLock<Index>,
    /// `None` once the bucket is deleted.
    journal: Mutex<Option<Journal<Entry>>>,
    /// Content files whose paths were given to callers inside the process, with the time they may go.
    lent: Mutex<BTreeMap<String, Loan>>,
}

#[derive(Clone, Copy)]
struct Loan {
    until: Timestamp,
    /// The index does not refer to the file any more.
    freed: bool,
}

impl Index {
    fn new(created: Timestamp, region: String) -> Self {
        Index { created, region, configurations: BTreeMap::new(), keys: BTreeMap::new(), uploads: BTreeMap::new() }
    }

    pub(super) fn versioning(&self) -> Versioning {
        match self.configurations.get("versioning").and_then(|document| document.get("status")).and_then(Value::as_str)
        {
            Some("Enabled") => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
            None => Versioning::Never,
        }
    }

    /// The latest version of `key`, delete markers too.
    pub(super) fn latest(&self, key: &str) -> Option<&Arc<Version>> {
        self.keys.get(key).and_then(|versions| versions.last())
    }

    pub(super) fn version(&self, key: &str, id: &str) -> Option<&Arc<Version>> {
        self.keys.get(key)?.iter().find(|version| version.id == id)
    }

    /// Replays one entry; gives the content files that nothing refers to afterwards.
    fn apply(&mut self, entry: Entry) -> Vec<String> {
        match entry {
            Entry::Bucket { created, region } => {
                self.created = created;
                self.region = region;
                Vec::new()
            }
            Entry::Configuration { name, document: Value::Null } => {
                self.configurations.remove(&name);
                Vec::new()
            }
            Entry::Configuration { name, document } => {
                self.configurations.insert(name, document);
                Vec::new()
            }
            Entry::Put { key, version } => self.put(key, version),
            Entry::Drop { key, id } => self.drop_version(&key, &id),
            Entry::Change { key, version } => {
                let versions = self.keys.get_mut(&key).into_iter().flatten();
                for held in versions.filter(|held| held.id == version.id) {
                    *held = Arc::new(version.clone());
                }
                Vec::new()
            }
            Entry::Upload(upload) => {
                self.uploads.insert(upload.id.clone(), upload);
                Vec::new()
            }
            Entry::Part { upload, number, part } => {
                let replaced = self.uploads.get_mut(&upload).and_then(|upload| upload.parts.insert(number, part));
                replaced.map(|part| part.file).into_iter().collect()
            }
            Entry::Complete { upload, key, version } => {
                let mut freed = self.end_upload(&upload);
                freed.extend(self.put(key, version));
                freed
            }
            Entry::Abort { upload } => self.end_upload(&upload),
        }
    }

    fn put(&mut self, key: String, version: Version) -> Vec<String> {
        let freed = if version.id == NULL_VERSION { self.drop_version(&key, NULL_VERSION) } else { Vec::new() };
        self.keys.entry(key).or_default().push(Arc::new(version));
        freed
    }

    fn drop_version(&mut self, key: &str, id: &str) -> Vec<String> {
        let Some(versions) = self.keys.get_mut(key) else { return Vec::new() };
        let gone = versions.extract_if(.., |version| version.id == id);
        let freed = gone.filter_map(|version| version.content.as_ref().map(|content| content.file.clone())).collect();
        if versions.is_empty() {
            self.keys.remove(key);
        }
        freed
    }

    fn end_upload(&mut self, id: &str) -> Vec<String> {
        let upload = self.uploads.remove(id).into_iter();
        upload.flat_map(|upload| upload.parts.into_values()).map(|part| part.file).collect()
    }

    /// The shortest journal that gives this index.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::Bucket { created: self.created, region: self.region.clone() }];
        entries.extend(
            self.configurations
                .iter()
                .map(|(name, document)| Entry::Configuration { name: name.clone(), document: document.clone() }),
        );
        for (key, versions) in &self.keys {
            let versions = versions.iter().map(|version| Version::clone(version));
            entries.extend(versions.map(|version| Entry::Put { key: key.clone(), version }));
        }
        entries.extend(self.uploads.values().cloned().map(Entry::Upload));
        entries
    }

    /// Every content file that the index refers to.
    fn files(&self) -> BTreeSet<&str> {
        let contents = self.keys.values().flatten().filter_map(|version| version.content.as_ref());
        let parts = self.uploads.values().flat_map(|upload| upload.parts.values());
        contents.map(|content| content.file.as_str()).chain(parts.map(|part| part.file.as_str())).collect()
    }
}

impl Bucket {
    /// Makes an empty bucket.
    pub(super) fn create(
        name: &str,
        root: &Path,
        clock: &Clock,
        region: &str,
        configurations: BTreeMap<String, Value>,
    ) -> Result<Self, S3Fault> {
        let objects = root.join("objects").join(name);
        std::fs::create_dir_all(&objects)?;
        let mut index = Index::new(clock.now(), region.into());
        index.configurations = configurations;
        let journal = Journal::create(&journal_path(root, name), &index.entries())?;
        Ok(Bucket::with(name, objects, clock, index, journal))
    }

    fn with(name: &str, objects: PathBuf, clock: &Clock, index: Index, journal: Journal<Entry>) -> Self {
        Bucket {
            name: name.into(),
            objects,
            clock: clock.clone(),
            index: RwLock::new(index),
            journal: Mutex::new(Some(journal)),
            lent: Mutex::new(BTreeMap::new()),
        }
    }

    /// Reads a bucket that an earlier run left, and sweeps content that nothing refers to.
    pub(super) fn open(name: &str, root: &Path, clock: &Clock) -> std::io::Result<Self> {
        let objects = root.join("objects").join(name);
        std::fs::create_dir_all(&objects)?;
        let (mut journal, entries) = Journal::open(&journal_path(root, name))?;
        let mut index = Index::new(Timestamp::from_millis(0), String::new());
        for entry in entries {
            index.apply(entry);
        }
        let live = index.entries();
        if journal.lines() > 1000 && journal.lines() > 2 * live.len() {
            journal.rewrite(&live)?;
        }
        let files = index.files();
        for entry in std::fs::read_dir(&objects)? {
            let entry = entry?;
            if !files.contains(entry.file_name().to_string_lossy().as_ref()) {
                discard(&entry.path());
            }
        }
        Ok(Bucket::with(name, objects, clock, index, journal))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a content file of this bucket lies.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.objects.join(file)
    }

    /// Makes a change: `decide` looks at the index and says what to write (blocking: it writes to the disk). Changes go
    /// one at a time; readers see the change once it is on disk.
    pub(super) fn change<R>(
        &self,
        decide: impl FnOnce(&Index) -> Result<(Vec<Entry>, R), S3Fault>,
    ) -> Result<R, S3Fault> {
        let mut held = self.writer();
        let journal = held.as_mut().ok_or_else(|| S3Fault::NoSuchBucket(self.name.clone()))?;
        let (entries, result) = decide(&self.read())?;
        if entries.is_empty() {
            return Ok(result);
        }
        journal.append(&entries)?;
        let freed: Vec<String> = {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            entries.into_iter().flat_map(|entry| index.apply(entry)).collect()
        };
        drop(held);
        self.free(freed);
        Ok(result)
    }

    /// The path of a content file for somebody who reads it in place: it stays for a while even if it is overwritten.
    pub(super) fn lend(&self, file: &str) -> PathBuf {
        let until = self.clock.now().plus_millis(LENT_FOR_MILLIS);
        self.loans().insert(file.into(), Loan { until, freed: false });
        self.path(file)
    }

    /// Removes content files that nothing refers to, except those on loan, and those whose loan has ended.
    fn free(&self, files: Vec<String>) {
        let now = self.clock.now();
        let mut loans = self.loans();
        for file in files {
            match loans.get_mut(&file) {
                Some(loan) => loan.freed = true,
                None => discard(&self.path(&file)),
            }
        }
        for (file, _) in loans.extract_if(.., |_, loan| loan.until <= now).filter(|(_, loan)| loan.freed) {
            discard(&self.path(&file));
        }
    }

    fn loans(&self) -> MutexGuard<'_, BTreeMap<String, Loan>> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the bucket for good; only an empty one goes.
    pub(super) fn remove(&self, root: &Path) -> Result<(), S3Fault> {
        let mut held = self.writer();
        if held.is_none() {
            return Err(S3Fault::NoSuchBucket(self.name.clone()));
        }
        if !self.read().keys.is_empty() {
            return Err(S3Fault::BucketNotEmpty);
        }
        std::fs::remove_file(journal_path(root, &self.name))?;
        *held = None;
        std::fs::remove_dir_all(&self.objects)?;
        Ok(())
    }

    fn writer(&self) -> MutexGuard<'_, Option<Journal<Entry>>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the journal of a bucket lies.
pub(super) fn journal_path(root: &Path, name: &str) -> PathBuf {
    root.join("buckets").join(format!("{name}.jsonl"))
}
