//! Brings the local cloud up in the background: looks first, starts it if need be, and says why it cannot.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::Value;

use super::{Wish, admin};
use crate::error::Failure;
use crate::local::Found;
use crate::local::process::engines::{Engines, Search};
use crate::local::process::{disk, install, port};
use crate::ui::Printer;

/// How a local cloud came to run.
#[derive(Clone, Debug)]
pub(super) struct Up {
    pub(super) found: Found,
    pub(super) started: bool,
}

/// Engines of this machine; the missing ones are installed if the user wishes so.
pub(super) async fn engines(wish: &Wish, ui: &Printer) -> Result<Engines, Failure> {
    let found = Engines::find(&Search::here(&wish.home)).await.map_err(|error| {
        let remedies = error.remedies();
        remedies.into_iter().fold(Failure::usage(error.to_string()), Failure::hint)
    })?;
    let missing = found.missing();
    if missing.is_empty() || !wish.install_engines {
        return Ok(found);
    }
    room(&wish.home)?;
    open_home(&wish.home)?;
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    ui.note(&format!("installing: {}", names.join(", ")));
    let found = install::install(&wish.home, &missing, &mut |command| ui.note(&format!("  {command}"))).await;
    found.map_err(|error| Failure::failed("cannot install the engines").because(error))
}

/// A local cloud that runs, is of this version and has these engines.
pub(super) async fn ensure(wish: &Wish, engines: &Engines, ui: &Printer) -> Result<Up, Failure> {
    if let Some(found) = running(wish, engines, ui).await? {
        return Ok(Up { found, started: false });
    }
    room(&wish.home)?;
    // Where nothing is yet, nothing is made for a start that cannot be. (Another one that is starting has made its home first.)
    if let Err(taken) = check_port(wish.port)
        && !wish.home.exists()
    {
        return Err(taken);
    }
    open_home(&wish.home)?;
    // Two commands that start at once: the second waits here and then finds what the first started.
    let _turn = turn(&wish.home).await?;
    if let Some(found) = running(wish, engines, ui).await? {
        return Ok(Up { found, started: false });
    }
    check_port(wish.port)?;
    let found = spawn(wish, ui).await?;
    ui.note(&format!(
        "started the local cloud: {} (process {}, state in {})",
        found.endpoint,
        found.pid,
        wish.home.display()
    ));
    Ok(Up { found, started: true })
}

/// The one that runs, if it can be used as it is; one that cannot is stopped first.
async fn running(wish: &Wish, engines: &Engines, ui: &Printer) -> Result<Option<Found>, Failure> {
    let Some(found) = admin::find(&wish.home)? else { return Ok(None) };
    if wish.insists_on_port && found.port != wish.port {
        return Err(Failure::usage(format!(
            "the local cloud runs already, on port {} and not {}",
            found.port, wish.port
        ))
        .hint("leave --port out, or stop it first: labctl local stop"));
    }
    let status = admin::ask(&found, Method::GET, "status", Duration::from_secs(10)).await;
    let why = match &status {
        Err(error) => Some(format!("it does not answer ({error})")),
        Ok(status) => outdated(&found, status, engines),
    };
    let Some(why) = why else { return Ok(Some(found)) };
    ui.note(&format!("restarting the local cloud, whose state stays: {why}"));
    admin::stop(&wish.home, &found).await?;
    Ok(None)
}

fn outdated(found: &Found, status: &Value, engines: &Engines) -> Option<String> {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    if found.version != VERSION {
        return Some(format!("it is of version {}, this is {VERSION}", found.version));
    }
    // The link of a program that was replaced on disk ends in ` (deleted)` (proc_pid_exe(5)).
    let program = std::fs::read_link(format!("/proc/{}/exe", found.pid)).unwrap_or_default();
    if program.to_string_lossy().ends_with(" (deleted)") {
        return Some("its program was replaced".to_owned());
    }
    let now = [("sql", &engines.mysql), ("cache", &engines.redis)];
    let new = now.into_iter().find(|(name, engine)| engine.is_some() && status["engines"][name].is_null());
    new.and_then(|(_, engine)| engine.as_ref())
        .map(|engine| format!("{} {} was installed", engine.kind, engine.version))
}

fn open_home(home: &Path) -> Result<(), Failure> {
    let refused = |source: io::Error| {
        Failure::usage(format!("cannot write to the local cloud's directory: {}", home.display())).because(source).hint(
            format!("name a directory that you can write to: export {}=/path/to/a/directory", crate::env::LABCTL_HOME),
        )
    };
    crate::local::home::Home::open(home).map_err(refused)?;
    std::fs::create_dir_all(home.join("run")).map_err(refused)?;
    // Only writing shows that a directory can be written: root may do anything on paper, on a read-only disk nothing.
    tempfile::tempfile_in(home.join("run")).map(drop).map_err(refused)
}

fn room(home: &Path) -> Result<(), Failure> {
    disk::require(home, disk::NEEDED).map_err(|error| {
        Failure::usage(error.to_string()).hint(format!(
            "make room, or name a directory on another disk: export {}=/path/to/a/directory",
            crate::env::LABCTL_HOME
        ))
    })
}

async fn turn(home: &Path) -> Result<File, Failure> {
    let path = home.join("run/start.lock");
    let taken = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        io::Result::Ok(file)
    });
    let taken = taken.await.map_err(io::Error::other).flatten();
    taken.map_err(|error| Failure::failed("cannot take turns with other labctl commands").because(error))
}

/// Says by whom a port is taken before anything is started.
pub(super) fn check_port(wanted: u16) -> Result<(), Failure> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let holder = port::holder(wanted).map(|holder| format!(" by {} (process {})", holder.name, holder.pid));
            Err(Failure::usage(format!("port {wanted} on 127.0.0.1 is taken{}", holder.unwrap_or_default()))
                .hint("take another one: --port 0")
                .hint(format!("or, for every command: export {}=4567", crate::env::LABCTL_LOCAL_PORT)))
        }
        Err(error) => Err(Failure::usage(format!("cannot listen on port {wanted} of 127.0.0.1"))
            .because(error)
            .hint("take another one: --port 0")),
    }
}

/// AWS settings of this shell are no business of the server, which lives on.
const NOT_INHERITED: [&str; 8] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE",
];

async fn spawn(wish: &Wish, ui: &Printer) -> Result<Found, Failure> {
    let failed = |error: io::Error| Failure::failed("cannot start the local cloud").because(error);
    let said = wish.home.join("run/start.log");
    let log = File::options().create(true).write(true).truncate(true).mode(0o600).open(&said).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(["local", "serve", "--detach", "--port"]).arg(wish.port.to_string());
    command.env(crate::env::LABCTL_HOME, &wish.home).current_dir("/");
    for variable in NOT_INHERITED {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut child = command.spawn().map_err(failed)?;
    wait(&mut child, wish, &said, ui).await
}

/// Waits for the handshake: its note, its lock and its answer.
async fn wait(child: &mut Child, wish: &Wish, said: &Path, ui: &Printer) -> Result<Found, Failure> {
    const LONGEST: Duration = Duration::from_secs(180);
    let begun = Instant::now();
    let mut told = Duration::from_secs(10);
    loop {
        if let Some(found) = admin::find(&wish.home)?
            && admin::is_healthy(&found).await
        {
            return Ok(found);
        }
        if let Some(status) =
            child.try_wait().map_err(|error| Failure::failed("cannot watch the local cloud start").because(error))?
        {
            return Err(ended(status, said));
        }
        if begun.elapsed() > LONGEST {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failure::failed(format!("the local cloud did not start within {} s", LONGEST.as_secs()))
                .hint("labctl local logs"));
        }
        if begun.elapsed() > told {
            ui.note(&format!("still starting the local cloud, {} s", told.as_secs()));
            told += Duration::from_secs(10);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the server said before it ended, in its own words.
fn ended(status: std::process::ExitStatus, said: &Path) -> Failure {
    let text = std::fs::read_to_string(said).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(": "));
    let summary = lines.clone().find(|(word, _)| *word == "error").map(|(_, rest)| rest.to_owned());
    let mut failure =
        Failure::failed(summary.unwrap_or_else(|| format!("the local cloud ended while starting ({status})")));
    let causes: Vec<&str> = lines.clone().filter(|(word, _)| *word == "caused by").map(|(_, rest)| rest).collect();
    if !causes.is_empty() {
        failure = failure.because(causes.join(": "));
    }
    let hints: Vec<String> =
        lines.by_ref().filter(|(word, _)| *word == "hint").map(|(_, rest)| rest.to_owned()).collect();
    let failure = hints.into_iter().fold(failure, Failure::hint);
    if failure.hints.is_empty() { failure.hint("labctl local logs") } else { failure }
}
