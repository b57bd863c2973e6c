//! `--install-engines`: server programs and nothing else, no system service left enabled or running.
//!
//! On Debian and Ubuntu the packages are fetched and unpacked into the home (`engines/`), with the libraries that this
//! machine lacks: no root, no sudo, and no maintainer script that would start a service. Elsewhere the system's package
//! manager installs them, with sudo where that is needed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::engines::{EngineError, Engines, Family, Search};

/// A package manager and the packages that hold the servers.
struct Manager {
    program: &'static str,
    arguments: &'static [&'static str],
    sql: &'static str,
    cache: &'static str,
}

/// In order of preference; the first whose program is on this machine is used.
const MANAGERS: &[Manager] = &[
    Manager {
        program: "apt-get",
        arguments: &["install", "-y", "--no-install-recommends"],
        sql: "mariadb-server-core",
        cache: "redis-server",
    },
    Manager { program: "dnf", arguments: &["install", "-y"], sql: "mariadb-server", cache: "valkey" },
    Manager { program: "apk", arguments: &["add"], sql: "mariadb", cache: "valkey" },
    Manager { program: "pacman", arguments: &["-S", "--noconfirm", "--needed"], sql: "mariadb", cache: "valkey" },
    Manager {
        program: "zypper",
        arguments: &["--non-interactive", "install", "--no-recommends"],
        sql: "mariadb",
        cache: "valkey",
    },
    Manager { program: "brew", arguments: &["install"], sql: "mariadb", cache: "valkey" },
];

/// The Debian and Ubuntu packages of a family, the preferred first; releases name them differently.
const fn packages(family: Family) -> &'static [&'static str] {
    match family {
        Family::Sql => {
            &["mariadb-server-core", "mariadb-server-core-10.6", "mysql-server-core-8.4", "mysql-server-core-8.0"]
        }
        Family::Cache => &["valkey-server", "redis-server"],
    }
}

/// Packages that hold the program a package's own file links to (`redis-server` → `redis-check-rdb`).
const LINKED: &[(&str, &str)] = &[("redis-server", "redis-tools"), ("valkey-server", "valkey-tools")];

/// Why the engines could not be installed.
#[derive(Debug)]
pub enum InstallError {
    /// No package manager that labctl knows.
    NoManager,
    NoSudo {
        command: String,
    },
    /// No package of any known name.
    NoPackage {
        family: Family,
    },
    Failed {
        command: String,
        said: String,
    },
    Io {
        path: PathBuf,
        source: io::Error,
    },
    /// Installed, and still not usable.
    Unusable(EngineError),
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstallError::NoManager => {
                f.write_str("no package manager that labctl knows (apt, dnf, apk, pacman, zypper, brew)")
            }
            InstallError::NoSudo { command } => write!(f, "this needs root and there is no sudo: {command}"),
            InstallError::NoPackage { family } => write!(f, "this system's package lists hold no {family}"),
            InstallError::Failed { command, said } => write!(f, "`{command}` failed: {said}"),
            InstallError::Io { path, source } => write!(f, "cannot write {}: {source}", path.display()),
            InstallError::Unusable(error) => write!(f, "the engine was installed and is not usable: {error}"),
        }
    }
}

impl std::error::Error for InstallError {}

/// Where [`install`] puts programs that it unpacks itself.
pub(super) fn programs(home: &Path) -> PathBuf {
    home.join("engines/bin")
}

fn manager() -> Option<&'static Manager> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    MANAGERS.iter().find(|manager| there(manager.program))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// How to get an engine of `family` on this system.
pub(super) fn remedies(family: Family) -> Vec<String> {
    let mut lines = vec!["labctl local start --install-engines".to_owned()];
    if let Some(manager) = manager() {
        let package = match family {
            Family::Sql => manager.sql,
            Family::Cache => manager.cache,
        };
        let sudo = if is_root() || manager.program == "brew" { "" } else { "sudo " };
        lines.push(format!("{sudo}{} {} {package}", manager.program, manager.arguments.join(" ")));
    }
    lines.push(format!("export {}=/path/to/server", family.variable()));
    lines
}

/// Installs an engine for each of `missing` and looks again. `say` hears each command before it runs.
///
/// # Errors
/// [`InstallError`] as it says; what was unpacked before stays and is used by the next try.
pub async fn install(
    home: &Path,
    missing: &[Family],
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<Engines, InstallError> {
    let manager = manager().ok_or(InstallError::NoManager)?;
    if manager.program == "apt-get" {
        Apt::new(home)?.install(missing, say).await?;
    } else {
        with_system_manager(manager, missing, say).await?;
    }
    let found = Engines::find(&Search::here(home)).await.map_err(InstallError::Unusable)?;
    match missing.iter().find(|family| found.missing().contains(family)) {
        Some(family) => Err(InstallError::Unusable(EngineError::Missing { family: *family })),
        None => Ok(found),
    }
}

async fn with_system_manager(
    manager: &Manager,
    missing: &[Family],
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<(), InstallError> {
    let mut words: Vec<String> =
        [manager.program].iter().chain(manager.arguments).map(|word| (*word).to_owned()).collect();
    words.extend(missing.iter().map(|family| match family {
        Family::Sql => manager.sql.to_owned(),
        Family::Cache => manager.cache.to_owned(),
    }));
    if !is_root() && manager.program != "brew" {
        let has_sudo =
            std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|dir| dir.join("sudo").is_file());
        if !has_sudo {
            return Err(InstallError::NoSudo { command: words.join(" ") });
        }
        words.insert(0, "sudo".to_owned());
    }
    run(&words, None, say).await.map(|_| ())
}

/// apt with lists and cache of its own inside the home: fresh lists without touching the system's, no root.
struct Apt {
    engines: PathBuf,
    options: Vec<String>,
}

impl Apt {
    fn new(home: &Path) -> Result<Self, InstallError> {
        let engines = home.join("engines");
        let (lists, cache) = (engines.join("apt/lists"), engines.join("apt/cache"));
        for directory in [lists.join("partial"), cache.join("archives/partial")] {
            std::fs::create_dir_all(&directory)
                .map_err(|source| InstallError::Io { path: directory.clone(), source })?;
        }
        let options = [
            format!("Dir::State::Lists={}", lists.display()),
            format!("Dir::Cache={}", cache.display()),
            "Debug::NoLocking=1".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        Ok(Apt { engines, options: options.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect() })
    }

    fn command(&self, program: &str, words: &[&str]) -> Vec<String> {
        let head = std::iter::once(program.to_owned()).chain(self.options.iter().cloned());
        head.chain(words.iter().map(|word| (*word).to_owned())).collect()
    }

    async fn install(&self, missing: &[Family], say: &mut (dyn FnMut(&str) + Send)) -> Result<(), InstallError> {
        say(&format!("unpacking server programs into {} (no root, no service)", self.engines.display()));
        run(&self.command("apt-get", &["-qq", "update"]), None, say).await?;
        let mut wanted = Vec::new();
        for family in missing {
            wanted.push(self.choose(*family).await?);
        }
        // The libraries this machine lacks …
        let mut words = vec!["-qq", "-y", "--no-install-recommends", "--download-only", "install"];
        words.extend(&wanted);
        run(&self.command("apt-get", &words), None, say).await?;
        // … and the servers themselves, which may be installed here in part.
        let linked = LINKED.iter().filter(|(package, _)| wanted.contains(package)).map(|(_, holder)| *holder);
        let own: Vec<&str> = wanted.iter().copied().chain(linked).collect();
        let archives = self.engines.join("apt/cache/archives");
        run(&self.command("apt-get", &[&["-qq", "download"], own.as_slice()].concat()), Some(&archives), say).await?;
        self.unpack(&archives).await?;
        self.write_programs()?;
        let spent = self.engines.join("apt");
        std::fs::remove_dir_all(&spent).map_err(|source| InstallError::Io { path: spent, source })
    }

    async fn choose(&self, family: Family) -> Result<&'static str, InstallError> {
        for package in packages(family) {
            let known = self.command("apt-cache", &["show", "--no-all-versions", package]);
            if run(&known, None, &mut |_| ()).await.is_ok_and(|said| !said.is_empty()) {
                return Ok(package);
            }
        }
        Err(InstallError::NoPackage { family })
    }

    async fn unpack(&self, archives: &Path) -> Result<(), InstallError> {
        let root = self.engines.join("root");
        let failed = |source| InstallError::Io { path: archives.to_owned(), source };
        for entry in std::fs::read_dir(archives).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                let words = ["dpkg-deb", "-x"].map(str::to_owned).into_iter();
                let words: Vec<String> =
                    words.chain([path.display().to_string(), root.display().to_string()]).collect();
                run(&words, None, &mut |_| ()).await?;
            }
        }
        Ok(())
    }

    /// A starter for each server: unpacked elsewhere than where it was built for, it must be told where its files are.
    fn write_programs(&self) -> Result<(), InstallError> {
        let root = self.engines.join("root");
        // `exists` follows links: Debian's mysqld is one to mariadbd, made only by the full server package.
        let sql = ["mariadbd", "mysqld"].into_iter().find(|name| root.join("usr/sbin").join(name).exists());
        if let Some(name) = sql {
            let shares = ["usr/share/mariadb", "usr/share/mysql", "usr/share/mysql-8.4", "usr/share/mysql-8.0"];
            let share = shares
                .into_iter()
                .find(|share| root.join(share).join("charsets").exists())
                .unwrap_or("usr/share/mysql");
            let places =
                [("basedir", "usr"), ("lc-messages-dir", share), ("character-sets-dir", &format!("{share}/charsets"))];
            let arguments: String = places.iter().map(|(option, path)| format!(" --{option}=\"$r/{path}\"")).collect();
            self.write_program(name, &format!("usr/sbin/{name}"), &arguments)?;
        }
        for name in ["redis-server", "valkey-server"] {
            let path = format!("usr/bin/{name}");
            if root.join(&path).exists() {
                self.write_program(name, &path, "")?;
            }
        }
        Ok(())
    }

    fn write_program(&self, name: &str, path: &str, arguments: &str) -> Result<(), InstallError> {
        use std::os::unix::fs::PermissionsExt;
        let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
        let text = format!(
            "#!/bin/sh\n# Made by `labctl --install-engines`.\nr=$(CDPATH= cd -- \"$(dirname -- \"$0\")/../root\" && pwd) || exit 1\n\
             LD_LIBRARY_PATH=\"$r/usr/lib/{multiarch}:$r/lib/{multiarch}:$r/usr/lib\" exec \"$r/{path}\" \"$@\"{arguments}\n"
        );
        let directory = self.engines.join("bin");
        let file = directory.join(name);
        let failed = |source| InstallError::Io { path: file.clone(), source };
        std::fs::create_dir_all(&directory).map_err(failed)?;
        std::fs::write(&file, text).map_err(failed)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).map_err(failed)
    }
}

/// Runs a command to its end and gives its stdout.
async fn run(
    words: &[String],
    directory: Option<&Path>,
    say: &mut (dyn FnMut(&str) + Send),
) -> Result<String, InstallError> {
    let shown = words.join(" ");
    say(&shown);
    let failed = |said: String| InstallError::Failed { command: shown.clone(), said };
    let (program, arguments) = words.split_first().ok_or_else(|| failed("no command".to_owned()))?;
    let mut command = tokio::process::Command::new(program);
    // sudo asks for the password on the terminal, not on stdin.
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C")
        .kill_on_drop(true);
    if let Some(directory) = directory {
        command.current_dir(directory);
    }
    let output = command.output().await.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().lines().rev().take(3).collect::<Vec<_>>().join("; ");
    Err(failed(if said.is_empty() { output.status.to_string() } else { said }))
}
