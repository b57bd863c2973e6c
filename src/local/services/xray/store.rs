//! Every trace there is: in memory as documents on one line each, on disk as the journal that they come back from.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::assemble::Assembled;
use super::journal::Journal;
use super::segment::{Document, RETENTION_SECONDS};

/// "A trace can hold up to 500 kB of documents"; what comes beyond is not kept, and BatchGetTraces says so.
const LARGEST_TRACE: usize = 500 * 1024;

/// A document may seem to begin before its trace.
const CLOCKS_DIFFER: i64 = 5 * 60;

/// One trace, as its documents.
#[derive(Default)]
struct Trace {
    /// When it began, in seconds: as its id says, or, if that holds no time, its first document.
    began: i64,
    kept: Vec<Kept>,
    bytes: usize,
    /// When the last document came, in milliseconds.
    last: i64,
    revision: u32,
    limit_exceeded: bool,
}

struct Kept {
    file: u64,
    id: String,
    open: bool,
    text: Arc<str>,
}

impl Trace {
    /// Adds a document. A complete one takes the place of one in progress, and nothing takes the place of a complete one.
    fn add(&mut self, document: Document, file: u64, arrived: i64) -> bool {
        let Document { id, open, text, .. } = document;
        let there = self.kept.iter().position(|kept| kept.id == id);
        if there.is_some_and(|at| !self.kept[at].open) {
            return false;
        }
        let freed = there.map_or(0, |at| self.kept[at].text.len());
        if self.bytes - freed + text.len() > LARGEST_TRACE {
            self.limit_exceeded = true;
            return false;
        }
        self.bytes = self.bytes - freed + text.len();
        let kept = Kept { file, id, open, text: text.into() };
        match there {
            Some(at) => self.kept[at] = kept,
            None => self.kept.push(kept),
        }
        self.changed(arrived);
        true
    }

    fn changed(&mut self, arrived: i64) {
        self.last = self.last.max(arrived);
        self.revision += 1;
    }
}

/// The traces of one region.
#[derive(Default)]
struct Region {
    traces: HashMap<String, Trace>,
    /// By when they began, then the id.
    by_time: BTreeSet<(i64, String)>,
}

struct Inner {
    regions: BTreeMap<String, Region>,
    /// The traces that have documents in a file.
    files: HashMap<u64, HashSet<(String, String)>>,
    journal: Journal,
}

/// The traces of every region.
pub(super) struct Store {
    inner: Mutex<Inner>,
}

/// A trace as it is now. It is put together by whoever asks, and outside the store's lock.
#[derive(Clone)]
pub(super) struct Found {
    pub id: String,
    /// In seconds since the epoch.
    pub began: i64,
    documents: Vec<Arc<str>>,
    pub revision: u32,
    pub limit_exceeded: bool,
    /// When its last document came, in milliseconds.
    pub last: i64,
}

/// A document on its way into the store.
pub(super) struct Arriving {
    pub region: String,
    pub document: Document,
}

impl Store {
    /// Opens what an earlier run left.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) fn open(directory: PathBuf) -> io::Result<Self> {
        let (mut regions, mut files) = (BTreeMap::<String, Region>::new(), HashMap::new());
        let journal = Journal::open(directory, |file, line| {
            // A document was checked when it came; its trace may have become old meanwhile.
            #[expect(clippy::cast_possible_truncation, reason = "a time in a document, to the second")]
            let now = line.document["start_time"].as_f64().unwrap_or_default() as i64;
            if let Ok(document) = Document::of(line.document, now) {
                insert(&mut regions, &mut files, (line.region, document), (file, line.arrived));
            }
        })?;
        Ok(Store { inner: Mutex::new(Inner { regions, files, journal }) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps documents, all of them on disk before any is seen.
    ///
    /// # Errors
    /// The disk's: then none is kept.
    pub(super) fn keep(&self, documents: Vec<Arriving>, now: i64) -> io::Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let lines: Vec<_> = documents.iter().map(|new| (new.region.as_str(), new.document.text.as_str())).collect();
        let mut inner = self.inner();
        let appended = inner.journal.append(&lines, now)?;
        inner.forget(&appended.gone);
        let Inner { regions, files, .. } = &mut *inner;
        for Arriving { region, document } in documents {
            insert(regions, files, (region, document), (appended.file, now));
        }
        Ok(())
    }

    /// Removes what is past its time.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn expire(&self, now: i64) -> io::Result<()> {
        let mut inner = self.inner();
        let gone = inner.journal.expire(now - RETENTION_SECONDS * 1000)?;
        inner.forget(&gone);
        Ok(())
    }

    /// One trace.
    pub(super) fn trace(&self, region: &str, id: &str) -> Option<Found> {
        self.inner().regions.get(region)?.traces.get(id).map(|trace| found(id, trace))
    }

    /// The traces that began in `from..=until` (seconds), newest first.
    pub(super) fn between(&self, region: &str, from: i64, until: i64) -> Vec<Found> {
        let inner = self.inner();
        let Some(region) = inner.regions.get(region) else { return Vec::new() };
        let range = region.by_time.range((from, String::new())..(until.saturating_add(1), String::new()));
        range.rev().filter_map(|(_, id)| Some(found(id, region.traces.get(id)?))).collect()
    }

    /// How many traces there are in all regions.
    pub(super) fn len(&self) -> usize {
        self.inner().regions.values().map(|region| region.traces.len()).sum()
    }
}

impl Inner {
    /// Forgets the documents of files that are gone.
    fn forget(&mut self, files: &[u64]) {
        for file in files {
            for (region, id) in self.files.remove(file).unwrap_or_default() {
                let Some(region) = self.regions.get_mut(&region) else { continue };
                let Some(trace) = region.traces.get_mut(&id) else { continue };
                trace.kept.retain(|kept| kept.file != *file);
                trace.bytes = trace.kept.iter().map(|kept| kept.text.len()).sum();
                trace.changed(0);
                if trace.kept.is_empty() {
                    let began = trace.began;
                    region.traces.remove(&id);
                    region.by_time.remove(&(began, id));
                }
            }
        }
    }
}

impl Found {
    pub(super) fn assembled(&self) -> Assembled {
        Assembled::of(&self.id, self.documents.iter().map(AsRef::as_ref))
    }
}

fn found(id: &str, trace: &Trace) -> Found {
    Found {
        id: id.to_owned(),
        began: trace.began,
        documents: trace.kept.iter().map(|kept| kept.text.clone()).collect(),
        revision: trace.revision,
        limit_exceeded: trace.limit_exceeded,
        last: trace.last,
    }
}

fn insert(
    regions: &mut BTreeMap<String, Region>,
    files: &mut HashMap<u64, HashSet<(String, String)>>,
    (region, document): (String, Document),
    (file, arrived): (u64, i64),
) {
    let here = regions.entry(region.clone()).or_default();
    let id = document.trace_id.clone();
    let began = began(&id, document.began);
    let trace = here.traces.entry(id.clone()).or_insert_with(|| Trace { began, ..Trace::default() });
    if trace.add(document, file, arrived) {
        here.by_time.insert((trace.began, id.clone()));
        files.entry(file).or_default().insert((region, id));
    }
}

/// The seconds in a trace's id. Where they are no time that its first document could have begun after, it is one of another making,
/// W3C's say, and the document's own time stands for it.
fn began(trace_id: &str, document: i64) -> i64 {
    let told = trace_id.get(2..10).and_then(|time| i64::from_str_radix(time, 16).ok());
    told.filter(|told| (document - RETENTION_SECONDS..=document + CLOCKS_DIFFER).contains(told)).unwrap_or(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;

    fn document(trace: u32, id: u64, more: Value) -> Arriving {
        let mut text = json!({"name": "n", "id": format!("{id:016x}"), "trace_id": format!("1-{NOW:08x}-{trace:024x}"),
            "start_time": NOW});
        for (name, value) in more.as_object().unwrap() {
            text[name] = value.clone();
        }
        let document = Document::of(text, NOW).unwrap();
        Arriving { region: "us-east-1".into(), document }
    }

    fn segments(store: &Store, trace: u32) -> Vec<Value> {
        let found = store.trace("us-east-1", &format!("1-{NOW:08x}-{trace:024x}")).unwrap();
        found.assembled().segments.iter().map(|segment| segment.document.clone()).collect()
    }

    #[test]
    fn a_complete_document_replaces_one_in_progress_and_is_replaced_by_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_owned()).unwrap();
        store.keep(vec![document(1, 1, json!({"in_progress": true, "user": "a"}))], NOW * 1000).unwrap();
        assert_eq!(segments(&store, 1)[0]["in_progress"], true);
        store.keep(vec![document(1, 1, json!({"end_time": NOW + 1, "user": "b"}))], NOW * 1000).unwrap();
        store.keep(vec![document(1, 1, json!({"in_progress": true, "user": "c"}))], NOW * 1000).unwrap();
        let found = segments(&store, 1);
        assert_eq!((found.len(), &found[0]["user"]), (1, &json!("b")));
    }

    #[test]
    fn traces_come_back_after_a_restart_and_go_with_their_file() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_owned()).unwrap();
        store
            .keep(vec![document(1, 1, json!({"end_time": NOW})), document(2, 1, json!({"end_time": NOW}))], 1)
            .unwrap();
        let store = Store::open(dir.path().to_owned()).unwrap();
        let between = |from, until| store.between("us-east-1", from, until).len();
        assert_eq!((store.len(), between(NOW, NOW), between(NOW + 1, NOW + 9), between(0, NOW - 1)), (2, 2, 0, 0));
        assert!(store.between("eu-west-1", 0, NOW).is_empty());
        store.expire(RETENTION_SECONDS * 1000 + 2).unwrap();
        assert_eq!((store.len(), between(0, NOW)), (0, 0));
    }

    #[test]
    fn a_trace_whose_id_holds_no_time_began_with_its_first_document() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_owned()).unwrap();
        let id = "1-4efaaf4d-1e8720b39541901950019ee5";
        store.keep(vec![document(1, 1, json!({"trace_id": id, "end_time": NOW}))], 1).unwrap();
        for store in [&store, &Store::open(dir.path().to_owned()).unwrap()] {
            assert_eq!(store.between("us-east-1", NOW, NOW)[0].id, id);
        }
    }

    #[test]
    fn a_trace_has_a_limit_and_says_when_it_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_owned()).unwrap();
        let large = |id| document(1, id, json!({"end_time": NOW, "metadata": {"x": "y".repeat(60_000)}}));
        store.keep((0..10).map(large).collect(), 1).unwrap();
        let found = store.trace("us-east-1", &format!("1-{NOW:08x}-{:024x}", 1)).unwrap();
        assert!(found.limit_exceeded && found.assembled().segments.len() == 8);
    }
}
