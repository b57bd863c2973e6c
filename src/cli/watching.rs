//! Tells when files change: at once where the system tells of it, else by looking.

use crate::error::Failure;
use notify::{Config, Event, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

/// An editor writes a file in several steps, and a tool several files: so long nothing has to change.
const QUIET: Duration = Duration::from_millis(60);
/// A change is told after this at the latest.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look where the system does not tell.
const LOOK: Duration = Duration::from_millis(300);

/// Watches some folders, but not what builds and version control leave in them.
pub(crate) struct Watching {
    watcher: Box<dyn Watcher + Send>,
    roots: Vec<PathBuf>,
    skipped: &'static [&'static str],
    watched: BTreeSet<PathBuf>,
    changes: UnboundedReceiver<()>,
    /// A change was told since the last [`Watching::begin`].
    told: bool,
}

impl Watching {
    /// Watches `roots` and all below them but the folders called as `skipped` says.
    pub(crate) fn of(roots: Vec<PathBuf>, skipped: &'static [&'static str]) -> Result<Self, Failure> {
        let (sender, changes) = unbounded_channel();
        let unwatched = |error: notify::Error| Failure::failed("cannot watch the sources").because(error);
        let told = RecommendedWatcher::new(teller(sender.clone()), Config::default());
        let watcher: Box<dyn Watcher + Send> = match told {
            Ok(watcher) => Box::new(watcher),
            Err(_) => Box::new(looking(sender.clone()).map_err(unwatched)?),
        };
        let mut watching = Watching { watcher, roots, skipped, watched: BTreeSet::new(), changes, told: false };
        if watching.watch().is_err() {
            // A system has only so many watches.
            watching.watcher = Box::new(looking(sender).map_err(unwatched)?);
            watching.watched.clear();
            watching.watch().map_err(unwatched)?;
        }
        Ok(watching)
    }

    /// Folders that have come since are watched too; below a root's own level the system's watcher sees to it.
    fn watch(&mut self) -> notify::Result<()> {
        for root in self.roots.clone() {
            self.add(&root, RecursiveMode::NonRecursive)?;
            let folders =
                std::fs::read_dir(&root)?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            for folder in folders.filter(|folder| !self.skipped.iter().any(|name| folder.file_name() == *name)) {
                self.add(&folder.path(), RecursiveMode::Recursive)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, mode: RecursiveMode) -> notify::Result<()> {
        if self.watched.contains(path) {
            return Ok(());
        }
        self.watcher.watch(path, mode)?;
        self.watched.insert(path.to_owned());
        Ok(())
    }

    /// What has changed so far is of no interest any more.
    pub(crate) fn forget(&mut self) {
        while self.changes.try_recv().is_ok() {}
        self.watch_what_has_come();
    }

    /// From here on it counts what changes, for [`Watching::changed_meanwhile`].
    pub(crate) fn begin(&mut self) {
        self.told = false;
    }

    /// Whether something has changed since the beginning, told to somebody or not; waits for a quiet moment then.
    pub(crate) async fn changed_meanwhile(&mut self) -> bool {
        if !self.changes.is_empty() {
            self.changed().await;
        }
        self.told
    }

    /// Waits until something has changed, and then for a quiet moment.
    pub(crate) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The watcher is ours: it cannot be gone.
            return std::future::pending().await;
        }
        self.told = true;
        let latest = Instant::now() + PATIENCE;
        loop {
            let quiet = tokio::time::sleep(QUIET);
            tokio::select! {
                _ = self.changes.recv() => {}
                () = quiet => break,
                () = tokio::time::sleep_until(latest) => break,
            }
        }
        self.watch_what_has_come();
    }

    fn watch_what_has_come(&mut self) {
        self.watched.retain(|path| path.exists());
        // A folder that goes away at this moment is no matter; one that stays is tried again with the next change.
        let _ = self.watch();
    }
}

fn looking(sender: UnboundedSender<()>) -> notify::Result<PollWatcher> {
    PollWatcher::new(teller(sender), Config::default().with_poll_interval(LOOK))
}

/// To read a file is no change of it, and cargo reads them all.
fn teller(sender: UnboundedSender<()>) -> impl Fn(notify::Result<Event>) {
    move |event| {
        let is_change = event.as_ref().map_or(true, |event| !matches!(event.kind, EventKind::Access(_)));
        if is_change {
            let _ = sender.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_told(watching: &mut Watching) -> bool {
        tokio::time::timeout(Duration::from_secs(10), watching.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn a_change_is_told_also_in_a_new_folder_and_one_in_a_skipped_folder_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("src/inner")).unwrap();
        std::fs::create_dir_all(root.join("target")).unwrap();
        let mut watching = Watching::of(vec![root.to_owned()], &["target"]).unwrap();
        std::fs::write(root.join("target/object"), "x").unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(300), watching.changed()).await.is_err());
        std::fs::write(root.join("src/inner/main.rs"), "x").unwrap();
        assert!(is_told(&mut watching).await);
        std::fs::create_dir(root.join("more")).unwrap();
        assert!(is_told(&mut watching).await);
        std::fs::write(root.join("more/file"), "x").unwrap();
        assert!(is_told(&mut watching).await);
        // As editors do it: a new file in the place of the old.
        std::fs::write(root.join("new"), "x").unwrap();
        std::fs::rename(root.join("new"), root.join("src/inner/main.rs")).unwrap();
        assert!(is_told(&mut watching).await);
        watching.begin();
        assert!(!watching.changed_meanwhile().await);
        std::fs::write(root.join("new"), "y").unwrap();
        // Also what somebody else was told of.
        assert!(is_told(&mut watching).await && watching.changed_meanwhile().await);
    }
}
