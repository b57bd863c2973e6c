//! A local cloud of one's own: a fresh home, a free port, stopped at the end.

use std::ops::Deref;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use labctl::local::cloud::Cloud;
use labctl::local::process::engines::{Engines, Search};
use labctl::local::{Found, Options, Patience, Running, serve};
use rustix::process::{Pid, Signal, kill_process};

use super::clients::Clients;

/// A local cloud inside the test's process. Call [`LocalCloud::stop`] at the end of the test: it waits until every child has ended.
pub(crate) struct LocalCloud {
    running: Option<Running>,
    clients: Clients,
    home: tempfile::TempDir,
}

impl Deref for LocalCloud {
    type Target = Clients;

    fn deref(&self) -> &Clients {
        &self.clients
    }
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

    /// Without engines, with less patience for slow clients.
    pub(crate) async fn start_with_patience(patience: Patience) -> Self {
        let home = home();
        let options = Options { patience, ..Options::new(home.path()) };
        Self::serving(home, options).await
    }

    /// Without engines, on a home that is there already.
    pub(crate) async fn start_on(home: tempfile::TempDir) -> Self {
        Self::start_in(home, Engines::default()).await
    }

    async fn start_in(home: tempfile::TempDir, engines: Engines) -> Self {
        let options = Options { engines, ..Options::new(home.path()) };
        Self::serving(home, options).await
    }

    async fn serving(home: tempfile::TempDir, options: Options) -> Self {
        let running = serve(options).await.unwrap();
        LocalCloud { clients: Clients::new(running.endpoint(), home.path()), running: Some(running), home }
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

    /// The database engine that the test runs on: `MariaDB 10.11.14`, `MySQL 9.7.0`.
    pub(crate) fn sql_engine(&self) -> String {
        self.cloud()
            .engines
            .mysql
            .as_ref()
            .map_or_else(String::new, |engine| format!("{} {}", engine.kind.name(), engine.version))
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

/// The built program, serving on a home that outlives it: for what only a process can show.
pub(crate) struct LocalProgram {
    process: tokio::process::Child,
    clients: Clients,
}

impl Deref for LocalProgram {
    type Target = Clients;

    fn deref(&self) -> &Clients {
        &self.clients
    }
}

impl LocalProgram {
    /// Starts `labctl local serve` on `home` and waits until it says where it is.
    pub(crate) async fn start(home: &Path) -> Self {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_labctl"));
        command
            .args(["local", "serve", "--port", "0"])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin");
        command.envs(super::engines()).env("HOME", home).env("LABCTL_HOME", home).current_dir(home).kill_on_drop(true);
        let said = std::fs::File::options().create(true).append(true).open(home.join("stderr")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let mut process = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let found = Found::find(home).unwrap().filter(|found| Some(found.pid) == process.id());
            if let Some(found) = found {
                return LocalProgram { process, clients: Clients::new(found.endpoint, home) };
            }
            assert!(process.try_wait().unwrap().is_none(), "labctl local serve ended while starting");
            assert!(Instant::now() < deadline, "labctl local serve did not start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Fails the test if something in it has panicked.
    pub(crate) fn is_calm(&self) {
        for name in ["stderr", "logs/local.log"] {
            let text = std::fs::read_to_string(self.home().join(name)).unwrap_or_default();
            let bad = text.lines().find(|line| line.contains("panicked") || line.contains("a request crashed"));
            assert_eq!(bad, None, "{name}");
        }
    }

    /// Its resident memory, in megabytes.
    pub(crate) fn megabytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// Asks it to end, as Ctrl-C or a shutdown of the machine does; whether it ended well.
    pub(crate) async fn stop(mut self) -> bool {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.process.wait().await.unwrap().success()
    }
}
