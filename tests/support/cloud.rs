//! A local cloud of one's own: a fresh home, a free port, stopped at the end.

use std::path::Path;
use std::sync::Arc;

use labctl::local::cloud::Cloud;
use labctl::local::process::engines::{Engines, Search};
use labctl::local::{Options, Running, serve};

/// A local cloud inside the test's process. Call [`LocalCloud::stop`] at the end of the test: it waits until every child has ended.
pub(crate) struct LocalCloud {
    running: Option<Running>,
    endpoint: String,
    home: tempfile::TempDir,
}

impl LocalCloud {
    /// Without engines: for services that need none.
    pub(crate) async fn start() -> Self {
        Self::start_in(home(), Engines::default()).await
    }

    /// With the MySQL and Redis of this machine.
    pub(crate) async fn start_with_engines() -> Self {
        let home = home();
        let engines = Engines::find(&Search::here(home.path())).await.unwrap();
        let missing = engines.missing();
        assert!(missing.is_empty(), "{missing:?} missing on this machine: run tests/run, which installs them");
        Self::start_in(home, engines).await
    }

    async fn start_in(home: tempfile::TempDir, engines: Engines) -> Self {
        let running = serve(Options { engines, ..Options::new(home.path()) }).await.unwrap();
        LocalCloud { endpoint: running.endpoint(), running: Some(running), home }
    }

    /// Stops it and starts it again on the same home, on a new port.
    pub(crate) async fn restart(mut self) -> Self {
        let engines = self.cloud().engines.clone();
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
        Self::start_in(self.home, engines).await
    }

    pub(crate) async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// `http://127.0.0.1:40123`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The cloud itself, to look inside.
    pub(crate) fn cloud(&self) -> Arc<Cloud> {
        self.running.as_ref().and_then(Running::cloud).unwrap()
    }
}

/// A fresh home. Its path is short: engines put sockets into it, whose paths have 107 characters at most.
fn home() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("lc").tempdir().unwrap()
}
