//! Which database and cache servers this machine has.
//!
//! A program is what it says it is: every candidate is run with `--version` and its answer is read. On Debian `mysqld` is a
//! link to MariaDB, and a user may name a wrapper script, so a file name proves nothing.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::env;

/// A server program that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    pub program: PathBuf,
    pub kind: EngineKind,
    /// As the program says it: `10.11.14`, `8.4.7`, `7.0.15`.
    pub version: String,
}

/// Which make a server program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    MySql,
    MariaDb,
    Redis,
    Valkey,
}

impl EngineKind {
    pub const fn name(self) -> &'static str {
        match self {
            EngineKind::MySql => "MySQL",
            EngineKind::MariaDb => "MariaDB",
            EngineKind::Redis => "Redis",
            EngineKind::Valkey => "Valkey",
        }
    }

    const fn family(self) -> Family {
        match self {
            EngineKind::MySql | EngineKind::MariaDb => Family::Sql,
            EngineKind::Redis | EngineKind::Valkey => Family::Cache,
        }
    }

    /// The oldest version that has what the local cloud needs of it.
    const fn oldest(self) -> (u32, u32) {
        match self {
            // Window functions, JSON_TABLE, roles active on login.
            EngineKind::MySql => (8, 0),
            EngineKind::MariaDb => (10, 6),
            // TLS ports.
            EngineKind::Redis => (6, 0),
            EngineKind::Valkey => (7, 2),
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an engine is for; any make of the family will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Behind Aurora: MySQL or MariaDB.
    Sql,
    /// Behind ElastiCache: Redis or Valkey.
    Cache,
}

impl Family {
    pub const ALL: [Family; 2] = [Family::Sql, Family::Cache];

    /// The variable that names a program of this family.
    pub const fn variable(self) -> &'static str {
        match self {
            Family::Sql => env::LABCTL_MYSQLD,
            Family::Cache => env::LABCTL_REDIS,
        }
    }

    /// What its programs are called, the preferred make first.
    const fn programs(self) -> &'static [&'static str] {
        match self {
            Family::Sql => &["mysqld", "mariadbd"],
            Family::Cache => &["valkey-server", "redis-server"],
        }
    }

    const fn preferred(self) -> EngineKind {
        match self {
            Family::Sql => EngineKind::MySql,
            Family::Cache => EngineKind::Valkey,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Sql => "MySQL or MariaDB server",
            Family::Cache => "Redis or Valkey server",
        })
    }
}

/// The engines in use: found on PATH, or named by `LABCTL_MYSQLD` and `LABCTL_REDIS`. `None`: not on this machine.
#[derive(Clone, Debug, Default)]
pub struct Engines {
    pub mysql: Option<Engine>,
    pub redis: Option<Engine>,
}

/// Why there is no engine to use.
#[derive(Debug)]
pub enum EngineError {
    Missing {
        family: Family,
    },
    /// A variable names something that is not there.
    NotThere {
        variable: &'static str,
        program: PathBuf,
    },
    CannotRun {
        program: PathBuf,
        options: String,
        source: io::Error,
    },
    /// It ran for longer than an answer takes.
    Silent {
        program: PathBuf,
        options: String,
    },
    NotAnEngine {
        program: PathBuf,
        family: Family,
        said: String,
    },
    TooOld {
        engine: Engine,
    },
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Missing { family } => write!(f, "no {family} on this machine"),
            EngineError::NotThere { variable, program } => {
                write!(f, "{variable} names a program that is not there: {}", program.display())
            }
            EngineError::CannotRun { program, options, source } => {
                write!(f, "cannot run `{} {options}`: {source}", program.display())
            }
            EngineError::Silent { program, options } => {
                write!(f, "`{} {options}` did not end within {} s", program.display(), PATIENCE.as_secs())
            }
            EngineError::NotAnEngine { program, family, said } => {
                write!(f, "{} is not a {family}; its --version says: {said}", program.display())
            }
            EngineError::TooOld { engine } => {
                let (major, minor) = engine.kind.oldest();
                let Engine { program, kind, version } = engine;
                write!(f, "{kind} {version} is too old, {major}.{minor} or later is needed: {}", program.display())
            }
        }
    }
}

impl std::error::Error for EngineError {}

impl EngineError {
    /// What to type or change, one suggestion a line.
    pub fn remedies(&self) -> Vec<String> {
        match self {
            EngineError::Missing { family } => super::install::remedies(*family),
            EngineError::TooOld { engine } => super::install::remedies(engine.kind.family()),
            EngineError::NotThere { variable, .. } => {
                vec![format!("unset {variable}, or set it to the path of a server program")]
            }
            EngineError::CannotRun { program, source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                vec![format!("chmod +x {}", program.display())]
            }
            EngineError::CannotRun { program, options, .. } | EngineError::Silent { program, options } => {
                vec![format!("try it by hand: {} {options}", program.display())]
            }
            EngineError::NotAnEngine { family, .. } => {
                vec![format!("unset {}, or set it to the path of a {family}", family.variable())]
            }
        }
    }
}

/// Where to look. Built from the environment once, so that tests can look elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The values of `LABCTL_MYSQLD` and `LABCTL_REDIS`.
    pub mysqld: Option<OsString>,
    pub redis: Option<OsString>,
    pub directories: Vec<PathBuf>,
}

impl Search {
    /// The variables, PATH, the places servers live outside a user's PATH, and what `--install-engines` put into `home`.
    pub fn here(home: &Path) -> Self {
        let named = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let beside =
            ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin", "/usr/libexec", "/usr/local/mysql/bin"];
        let directories = std::env::split_paths(&path)
            .filter(|directory| directory.is_absolute())
            .chain(beside.iter().map(PathBuf::from))
            .chain([super::install::programs(home)])
            .collect();
        Search { mysqld: named(env::LABCTL_MYSQLD), redis: named(env::LABCTL_REDIS), directories }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Engines {
    /// Looks for both engines. One that is not there is `None`.
    ///
    /// # Errors
    /// A variable names something unusable, or the only engine of a family is too old or broken.
    pub async fn find(search: &Search) -> Result<Engines, EngineError> {
        let (mysql, redis) = tokio::join!(one(Family::Sql, search), one(Family::Cache, search));
        Ok(Engines { mysql: mysql?, redis: redis? })
    }

    /// The MySQL or MariaDB server.
    ///
    /// # Errors
    /// There is none; the error knows the install command for this system.
    pub fn sql(&self) -> Result<&Engine, EngineError> {
        self.mysql.as_ref().ok_or(EngineError::Missing { family: Family::Sql })
    }

    /// The Redis or Valkey server.
    ///
    /// # Errors
    /// There is none; the error knows the install command for this system.
    pub fn cache(&self) -> Result<&Engine, EngineError> {
        self.redis.as_ref().ok_or(EngineError::Missing { family: Family::Cache })
    }

    /// The families that this machine has no engine for.
    pub fn missing(&self) -> Vec<Family> {
        let there = |family: &Family| match family {
            Family::Sql => self.mysql.is_some(),
            Family::Cache => self.redis.is_some(),
        };
        Family::ALL.into_iter().filter(|family| !there(family)).collect()
    }
}

async fn one(family: Family, search: &Search) -> Result<Option<Engine>, EngineError> {
    let named = match family {
        Family::Sql => &search.mysqld,
        Family::Cache => &search.redis,
    };
    if let Some(name) = named {
        let program = resolve(name, search)
            .ok_or_else(|| EngineError::NotThere { variable: family.variable(), program: name.into() })?;
        return probe(program, family).await.map(Some);
    }
    let (mut best, mut problem, mut seen) = (None::<Engine>, None, Vec::new());
    for name in family.programs() {
        for program in search.directories.iter().map(|directory| directory.join(name)) {
            // One file under two names (`mysqld` → `mariadbd`, /bin → /usr/bin) is asked once.
            let Ok(real) = program.canonicalize() else { continue };
            // What is no file is no program, as a shell sees it.
            if seen.contains(&real) || !real.is_file() {
                continue;
            }
            seen.push(real);
            match probe(program, family).await {
                Ok(engine) if engine.kind == family.preferred() => return Ok(Some(engine)),
                Ok(engine) => best = best.or(Some(engine)),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
    }
    match (best, problem) {
        (Some(engine), _) => Ok(Some(engine)),
        (None, Some(problem)) => Err(problem),
        (None, None) => Ok(None),
    }
}

/// A path as it is; a bare name is looked up as a shell would.
fn resolve(name: &OsString, search: &Search) -> Option<PathBuf> {
    let path = PathBuf::from(name);
    if path.components().count() > 1 {
        return path.exists().then(|| std::path::absolute(&path).unwrap_or(path));
    }
    search.directories.iter().map(|directory| directory.join(&path)).find(|candidate| candidate.is_file())
}

/// What a server program gets of the environment: not the keys that may be in it.
pub fn environment() -> Vec<(OsString, OsString)> {
    ["PATH", "HOME", "TZ"].iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))).collect()
}

/// What a server program prints that is run with `options` to tell something of itself: stdout and stderr.
///
/// # Errors
/// It cannot be run, or does not come to an end.
pub async fn ask(program: &Path, options: &[&str]) -> Result<[String; 2], EngineError> {
    let mut command = tokio::process::Command::new(program);
    command.args(options).env_clear().envs(environment()).stdin(Stdio::null()).kill_on_drop(true);
    let (ran, program, options) =
        (tokio::time::timeout(PATIENCE, command.output()).await, program.to_owned(), options.join(" "));
    match ran {
        Ok(Ok(output)) => Ok([output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Ok(Err(source)) => Err(EngineError::CannotRun { program, options, source }),
        Err(_) => Err(EngineError::Silent { program, options }),
    }
}

async fn probe(program: PathBuf, family: Family) -> Result<Engine, EngineError> {
    let said = ask(&program, &["--version"]).await?.map(|text| text.trim().to_owned());
    let said = said.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    match understand(&said).filter(|(kind, _)| kind.family() == family) {
        Some((kind, version)) if at_least(&version, kind.oldest()) => Ok(Engine { program, kind, version }),
        Some((kind, version)) => Err(EngineError::TooOld { engine: Engine { program, kind, version } }),
        None => {
            let said = said.lines().next().unwrap_or("nothing").chars().take(200).collect();
            Err(EngineError::NotAnEngine { program, family, said })
        }
    }
}

/// Make and version from what `--version` prints.
fn understand(said: &str) -> Option<(EngineKind, String)> {
    let line = said.lines().find(|line| line.contains(" Ver ") || line.contains("erver v="))?;
    let (kind, rest) = if let Some((_, rest)) = line.split_once(" Ver ") {
        (if line.contains("MariaDB") { EngineKind::MariaDb } else { EngineKind::MySql }, rest)
    } else {
        let (_, rest) = line.split_once("erver v=")?;
        (if line.to_ascii_lowercase().contains("valkey") { EngineKind::Valkey } else { EngineKind::Redis }, rest)
    };
    let version: String = rest.trim_start().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    version.starts_with(|c: char| c.is_ascii_digit()).then_some((kind, version))
}

fn at_least(version: &str, (major, minor): (u32, u32)) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

#[cfg(test)]
mod tests {

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(directory: &Path, name: &str, body: &str) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn search(directory: &Path) -> Search {
        Search { directories: vec![directory.to_owned()], ..Search::default() }
    }

    #[test]
    fn every_make_is_known_by_what_it_says() {
        let cases = [
            (
                "mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)",
                EngineKind::MariaDb,
                "10.11.19",
            ),
            (
                "/usr/sbin/mysqld  Ver 8.0.39-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))",
                EngineKind::MySql,
                "8.0.39",
            ),
            ("mysqld  Ver 8.4.7 for Linux on aarch64 (MySQL Community Server - GPL)", EngineKind::MySql, "8.4.7"),
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", EngineKind::Redis, "7.0.15"),
            ("Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", EngineKind::Valkey, "8.1.1"),
        ];
        for (said, kind, version) in cases {
            assert_eq!(understand(said), Some((kind, version.to_owned())), "{said}");
        }
        assert_eq!(understand("GNU bash, version 5.2.15"), None);
    }

    #[tokio::test]
    async fn mysql_is_preferred_to_a_mariadb_that_is_called_mysqld() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::create_dir_all(&first).unwrap();
        std::fs::create_dir_all(&second).unwrap();
        program(&first, "mysqld", "echo 'mysqld  Ver 10.11.19-MariaDB for x'");
        let mysql = program(&second, "mysqld", "echo 'mysqld  Ver 8.4.7 for Linux'");
        let look = Search { directories: vec![first, second], ..Search::default() };
        let found = Engines::find(&look).await.unwrap();
        assert_eq!(found.sql().unwrap(), &Engine { program: mysql, kind: EngineKind::MySql, version: "8.4.7".into() });
        assert_eq!(found.missing(), [Family::Cache]);
        assert!(found.cache().unwrap_err().remedies().iter().any(|line| line.contains("--install-engines")));
    }

    #[tokio::test]
    async fn a_named_program_that_is_missing_not_executable_or_something_else_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut look = search(dir.path());
        look.mysqld = Some("/nowhere/mysqld".into());
        let error = Engines::find(&look).await.unwrap_err();
        assert_eq!(error.to_string(), "LABCTL_MYSQLD names a program that is not there: /nowhere/mysqld");

        let plain = dir.path().join("plain");
        std::fs::write(&plain, "x").unwrap();
        look.mysqld = Some(plain.clone().into());
        let error = Engines::find(&look).await.unwrap_err();
        assert_eq!(error.remedies(), [format!("chmod +x {}", plain.display())]);

        look.mysqld = Some(program(dir.path(), "cache", "echo 'Redis server v=7.0.15 sha=0'").into());
        let error = Engines::find(&look).await.unwrap_err().to_string();
        assert!(error.contains("is not a MySQL or MariaDB server; its --version says: Redis server"), "{error}");
    }

    #[tokio::test]
    async fn an_engine_that_is_too_old_says_what_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        program(dir.path(), "redis-server", "echo 'Redis server v=5.0.14 sha=0'");
        let error = Engines::find(&search(dir.path())).await.unwrap_err().to_string();
        assert!(error.starts_with("Redis 5.0.14 is too old, 6.0 or later is needed: "), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_is_asked_sees_nothing_of_the_environment_but_what_engines_get() {
        let dir = tempfile::tempdir().unwrap();
        let tells = program(dir.path(), "tells", "tr '\\0' '\\n' < /proc/$$/environ; true");
        let [told, _] = ask(&tells, &[]).await.unwrap();
        let names: Vec<&str> = told.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(names.contains(&"PATH"), "{told}");
        assert!(names.iter().all(|name| ["PATH", "HOME", "TZ"].contains(name)), "{names:?}");
        assert!(std::env::vars_os().count() > 3, "there is nothing to keep back");
    }

    #[tokio::test]
    async fn a_wrapper_script_may_be_named() {
        let dir = tempfile::tempdir().unwrap();
        let wrapper = program(dir.path(), "my-database", "echo \"$0  Ver 8.0.39 for Linux on x86_64\"");
        let look = Search { mysqld: Some(wrapper.clone().into()), ..Search::default() };
        assert_eq!(Engines::find(&look).await.unwrap().sql().unwrap().program, wrapper);
    }
}
