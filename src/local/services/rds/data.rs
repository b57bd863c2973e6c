//! The data directory of a new cluster: set up once by each version of an engine, and copied for each cluster.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::Mutex;

use super::engine::{Layout, as_root, option};
use crate::process::engines::{Engine, EngineError, EngineKind, ask, environment};
use crate::process::spawn::Output;
use crate::process::{ChildSpec, Processes};

/// Why a data directory could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error("cannot write the data directory: {0}")]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Spawn(#[from] crate::process::SpawnError),
    #[error("{program} could not set up a data directory ({status}); its log: {}", log.display())]
    Failed { program: PathBuf, status: std::process::ExitStatus, log: PathBuf },
    #[error("{program} did not set up a data directory within {} s; its log: {}", SETUP_PATIENCE.as_secs(), log.display())]
    Slow { program: PathBuf, log: PathBuf },
    #[error("the cluster was stopped before its data directory was there")]
    Stopped,
    #[error("{error}; {}", error.remedies().join("; or "))]
    Engine { error: EngineError },
    #[error("the SQL files of {0} are not where it says its messages are; reinstall it")]
    NoShare(PathBuf),
    #[error("cannot read {path}: {source}; reinstall the server")]
    Unreadable { path: PathBuf, source: io::Error },
}

impl From<EngineError> for SetupError {
    fn from(error: EngineError) -> Self {
        SetupError::Engine { error }
    }
}

/// How the directory of a template begins that is not finished yet.
pub(super) const UNFINISHED: &str = ".new-";
/// The same of a cluster's data directory that is being copied.
const COPYING: &str = ".data-";

/// How long an engine may take to set up a data directory, which is done once for each version of it.
const SETUP_PATIENCE: Duration = Duration::from_secs(180);

/// Held while a template is set up or looked for.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The data directory of a new cluster: a copy of one that this engine set up before. Nothing is being written any more
/// when it returns, also where `stopped` resolved first.
///
/// # Errors
/// The engine cannot set one up, or the disk is full.
pub(super) async fn make_data(
    engine: &Engine,
    layout: &Layout,
    processes: &Processes,
    stopped: impl Future<Output = ()>,
) -> Result<(), SetupError> {
    let mut stopped = pin!(stopped);
    // What a local cloud that was killed had copied of one.
    remove_directories(&layout.directory, |name| name.starts_with(COPYING))?;
    let version: String =
        engine.version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
    let template = layout.templates.join(format!("{}-{version}", engine.kind.name().to_lowercase()));
    {
        let _one = tokio::select! {
            one = ONE_AT_A_TIME.lock() => one,
            () = &mut stopped => return Err(SetupError::Stopped),
        };
        if !template.exists() {
            std::fs::create_dir_all(&layout.templates)?;
            let fresh = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&layout.templates)?;
            initialise(engine, fresh.path(), layout, processes, stopped).await?;
            std::fs::rename(fresh.keep(), &template)?;
        }
    }
    let (data, parent) = (layout.data.clone(), layout.directory.clone());
    let copied = tokio::task::spawn_blocking(move || {
        let fresh = tempfile::Builder::new().prefix(COPYING).tempdir_in(&parent)?;
        copy(&template, fresh.path())?;
        std::fs::rename(fresh.keep(), &data)
    });
    copied.await.map_err(io::Error::other)??;
    Ok(())
}

/// Removes the directories in `parent`, if it is there, whose names are `doomed`.
///
/// # Errors
/// One cannot be removed.
pub(super) fn remove_directories(parent: &Path, doomed: impl Fn(&str) -> bool) -> io::Result<()> {
    if !parent.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&doomed) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

async fn initialise(
    engine: &Engine,
    data: &Path,
    layout: &Layout,
    processes: &Processes,
    stopped: impl Future<Output = ()>,
) -> Result<(), SetupError> {
    let mut args: Vec<OsString> =
        vec!["--no-defaults".into(), option("datadir", data), option("tmpdir", &layout.directory)];
    args.extend(as_root().map(OsString::from));
    args.push("--innodb-buffer-pool-size=32M".into());
    let (program, args) = if engine.kind == EngineKind::MySql {
        args.extend(["--initialize-insecure".into(), "--innodb-redo-log-capacity=16M".into()]);
        (engine.program.clone(), args)
    } else {
        args.extend(["--bootstrap".into(), "--innodb-log-file-size=16M".into(), "--performance-schema=OFF".into()]);
        let script = layout.directory.join("bootstrap.sql");
        std::fs::write(&script, bootstrap_sql(&share(engine).await?)?)?;
        // The one program of ours that reads its standard input, which children do not have.
        let shell = "script=$1; shift; exec \"$@\" < \"$script\"";
        let mut all: Vec<OsString> =
            vec!["-c".into(), shell.into(), "sh".into(), script.into(), engine.program.clone().into()];
        all.extend(args);
        (PathBuf::from("/bin/sh"), all)
    };
    let child = processes
        .spawn(ChildSpec {
            name: format!("{} setting up a data directory", engine.kind.name()),
            program,
            args,
            env: environment(),
            directory: layout.directory.clone(),
            output: Output::File(layout.log.clone()),
        })
        .await?;
    let (program, log) = (engine.program.clone(), layout.log.clone());
    let problem = tokio::select! {
        status = child.wait() => match status.success() {
            true => return Ok(()),
            false => return Err(SetupError::Failed { program, status, log }),
        },
        () = stopped => SetupError::Stopped,
        () = tokio::time::sleep(SETUP_PATIENCE) => SetupError::Slow { program, log },
    };
    child.kill().await;
    Err(problem)
}

/// What MariaDB's own `mariadb-install-db` feeds to `--bootstrap`, without its users.
fn bootstrap_sql(share: &Path) -> Result<Vec<u8>, SetupError> {
    let mut sql = b"CREATE DATABASE mysql;\nUSE mysql;\n".to_vec();
    for file in [
        "mysql_system_tables.sql",
        "mysql_performance_tables.sql",
        "mysql_system_tables_data.sql",
        "maria_add_gis_sp_bootstrap.sql",
    ] {
        let path = share.join(file);
        match std::fs::read(&path) {
            Ok(bytes) => sql.extend(bytes),
            // Newer versions have no performance tables of their own.
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.starts_with("mysql_performance") => {}
            Err(source) => return Err(SetupError::Unreadable { path, source }),
        }
        sql.push(b'\n');
    }
    sql.extend_from_slice(b"DELETE FROM mysql.global_priv WHERE User IN ('root', '');\n");
    Ok(sql)
}

/// The directory of MariaDB's SQL files: the parent of its character sets, which it says when asked.
async fn share(engine: &Engine) -> Result<PathBuf, SetupError> {
    let options = ["--no-defaults", "--verbose", "--help"].into_iter().chain(as_root());
    let [said, _] = ask(&engine.program, &options.collect::<Vec<_>>()).await?;
    let named = said.lines().find_map(|line| line.strip_prefix("character-sets-dir")).map(str::trim).map(PathBuf::from);
    let beside = engine.program.parent().and_then(Path::parent).map(|prefix| prefix.join("share"));
    let beside = beside.iter().flat_map(|share| [share.join("mysql"), share.join("mariadb")]);
    named
        .iter()
        .filter_map(|sets| sets.parent().map(Path::to_path_buf))
        .chain(beside)
        .find(|share| share.join("mysql_system_tables.sql").exists())
        .ok_or_else(|| SetupError::NoShare(engine.program.clone()))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    /// A cluster's place and an engine that is not there.
    fn place() -> (tempfile::TempDir, Layout, Engine) {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("cluster-A");
        std::fs::create_dir_all(&directory).unwrap();
        let layout = Layout {
            data: directory.join("data"),
            socket: directory.join("sql"),
            door: directory.join("door"),
            log: home.path().join("log"),
            objects: home.path().join("objects"),
            templates: home.path().join("templates"),
            directory,
        };
        let engine = Engine { program: "/nowhere/mariadbd".into(), kind: EngineKind::MariaDb, version: "10.11".into() };
        (home, layout, engine)
    }

    #[tokio::test]
    async fn a_cluster_that_is_stopped_does_not_wait_for_the_set_up_of_another() {
        let (_home, layout, engine) = place();
        let _other = ONE_AT_A_TIME.lock().await;
        let processes = Processes::start();
        let made = make_data(&engine, &layout, &processes, ready(()));
        let made = tokio::time::timeout(Duration::from_secs(10), made).await;
        assert!(matches!(made, Ok(Err(SetupError::Stopped))), "{made:?}");
    }

    #[tokio::test]
    async fn what_a_killed_copy_has_left_goes_with_the_next_one() {
        let (_home, layout, engine) = place();
        let (left, file) = (layout.directory.join(".data-x/mysql"), layout.templates.join("mariadb-10.11/ibdata1"));
        for directory in [&left, file.parent().unwrap()] {
            std::fs::create_dir_all(directory).unwrap();
        }
        std::fs::write(file, "x").unwrap();
        make_data(&engine, &layout, &Processes::start(), pending()).await.unwrap();
        let there = std::fs::read_dir(&layout.directory).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(there.collect::<Vec<_>>(), ["data"]);
        assert!(layout.data.join("ibdata1").exists());
    }

    #[tokio::test]
    async fn an_engine_that_cannot_be_asked_is_named_with_a_way_out() {
        let (_home, layout, engine) = place();
        let error = make_data(&engine, &layout, &Processes::start(), pending()).await.unwrap_err().to_string();
        assert!(error.starts_with("cannot run `/nowhere/mariadbd --no-defaults --verbose --help"), "{error}");
        assert!(error.contains("try it by hand: /nowhere/mariadbd --no-defaults"), "{error}");
    }

    #[test]
    fn an_sql_file_that_cannot_be_read_is_named() {
        let share = tempfile::tempdir().unwrap();
        let error = bootstrap_sql(share.path()).unwrap_err().to_string();
        assert!(error.contains("mysql_system_tables.sql") && error.contains("reinstall"), "{error}");
    }
}
