//! Building one function: sources to a zip, or the reason why not and what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use rustix::fs::Access;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::glibc::{self, Requirement, Version};
use super::source::Source;
use super::toolchain::{Builder, Toolchain, on_path};
use super::zip::Effort;
use crate::env::LABCTL_CACHE;

/// Where and for what to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// For build directories and finished zips; shared by all labs of the user.
    pub cache: PathBuf,
    /// The processor as Rust names it: `x86_64`, `aarch64`.
    pub architecture: String,
    /// The newest glibc that the function may need.
    pub ceiling: Version,
    /// This machine's glibc, if it has one.
    pub host: Option<Version>,
    /// To be tried out: compiled in a fraction of the time, bigger and slower.
    pub quick: bool,
}

/// A finished package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub zip: PathBuf,
    /// SHA-256 of the zip, hexadecimal; the artifact's key is made of it.
    pub sha256: String,
    /// Bytes of the zip.
    pub size: u64,
    /// Nothing was compiled: these sources were built before.
    pub cached: bool,
    /// When the compiler was done.
    pub compiled: Option<Instant>,
}

impl Built {
    /// Where the package lies in the artifact bucket: the same content, the same key.
    pub fn key(&self, function: &str) -> String {
        format!("functions/{function}/{}.zip", self.sha256)
    }
}

/// SHA-256 of the package that lies at a key.
pub fn digest_of(key: &str) -> Option<&str> {
    key.rsplit('/').next()?.strip_suffix(".zip")
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("no Rust toolchain: cargo and rustc are not on PATH")]
    NoToolchain,
    #[error("no linker: cc is not on PATH, nor are musl-gcc and zig with their targets")]
    NoLinker,
    #[error("cannot write to the cache folder: {}", path.display())]
    Cache { path: PathBuf, source: io::Error },
    #[error("no disk space to build in: {} MiB free of the {} MiB needed in {}", free >> 20, needed >> 20, path.display())]
    NoRoom { path: PathBuf, free: u64, needed: u64 },
    #[error("cannot build for {wanted} on {host}")]
    OtherArchitecture { wanted: String, host: String },
    #[error("cargo could not build `{crate_name}`:\n{output}")]
    Compile { crate_name: String, output: String },
    #[error("`{crate_name}` needs glibc {} (symbol `{}`), and the target has {ceiling}", needs.version, needs.symbol)]
    TooNewGlibc { crate_name: String, needs: Requirement, ceiling: Version },
    #[error("the binary of `{crate_name}` is not one for Linux: {source}")]
    NotElf { crate_name: String, source: object::Error },
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl BuildError {
    /// What to type or change next.
    pub fn remedy(&self) -> Option<String> {
        match self {
            BuildError::NoToolchain => Some("install Rust from https://rustup.rs and open a new shell".to_owned()),
            BuildError::OtherArchitecture { .. } | BuildError::TooNewGlibc { .. } => {
                Some("pip install cargo-zigbuild   (it brings zig, which links an older glibc)".to_owned())
            }
            BuildError::Compile { crate_name, output } if output.contains("--locked") => Some(format!(
                "its Cargo.lock is old: cargo update --workspace --manifest-path lambdas/{crate_name}/Cargo.toml"
            )),
            BuildError::NoLinker => Some("sudo apt-get install gcc   (any C compiler will do)".to_owned()),
            BuildError::Cache { .. } => {
                Some(format!("name a folder that you can write to: export {LABCTL_CACHE}=/path/to/a/folder"))
            }
            BuildError::NoRoom { .. } => {
                Some(format!("make room, or name a folder on another disk: export {LABCTL_CACHE}=/path/to/a/folder"))
            }
            BuildError::Compile { .. } | BuildError::NotElf { .. } | BuildError::Io { .. } => None,
        }
    }
}

/// The dependencies of a function and its optimised objects.
const ROOM: u64 = 512 << 20;

/// Whether functions could be built here, before it is known for what: a toolchain (without a compiler not even what was
/// built before is recognised), a linker and, where nothing was built yet, a cache folder with room. Nothing is made.
///
/// # Errors
/// The first that is missing.
pub async fn can_build(cache: &Path) -> Result<(), BuildError> {
    let toolchain = Toolchain::find(std::env::consts::ARCH).await.ok_or(BuildError::NoToolchain)?;
    if !(toolchain.zig || toolchain.musl || on_path("cc").is_some()) {
        return Err(BuildError::NoLinker);
    }
    match cache.join("packages").is_dir() {
        true => Ok(()),
        false => has_room(cache),
    }
}

/// Whether the cache folder can be written and has room for a build.
///
/// # Errors
/// The first that is missing.
pub fn has_room(cache: &Path) -> Result<(), BuildError> {
    let refused = |source: rustix::io::Errno| BuildError::Cache { path: cache.to_owned(), source: source.into() };
    let there = cache.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    if !there.is_dir() {
        return Err(refused(rustix::io::Errno::NOTDIR));
    }
    rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(refused)?;
    let disk = rustix::fs::statvfs(there).map_err(refused)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    match free >= ROOM {
        true => Ok(()),
        false => Err(BuildError::NoRoom { path: cache.to_owned(), free, needed: ROOM }),
    }
}

/// Builds `source`, unless a zip of the very same sources, compiler and target is there already. Each line that cargo
/// says goes to `progress`.
///
/// # Errors
/// See [`BuildError`].
pub async fn build(source: &Source, options: &Options, progress: impl Fn(&str)) -> Result<Built, BuildError> {
    let toolchain = Toolchain::find(&options.architecture).await.ok_or(BuildError::NoToolchain)?;
    let builder = toolchain.builder(options.ceiling, options.host);
    if builder == Builder::Native && toolchain.host_architecture() != options.architecture {
        let host = toolchain.host_architecture().to_owned();
        return Err(BuildError::OtherArchitecture { wanted: options.architecture.clone(), host });
    }
    let target = target(&builder, options);
    let zip = package(source, options, &toolchain, target.as_deref());
    if let Ok(bytes) = std::fs::read(&zip) {
        return Ok(built(zip, &bytes, true));
    }
    let directory = options.cache.join("build").join(&source.crate_name);
    // Labs may have crates of one name: from the sources to the binary the folder is one build's alone.
    let _turn = turn(&directory).await?;
    if let Ok(bytes) = std::fs::read(&zip) {
        return Ok(built(zip, &bytes, true));
    }
    source.write_to(&directory).map_err(io_error("write", &directory))?;
    let compiler =
        Compiler { toolchain: &toolchain, builder: &builder, target: target.as_deref(), quick: options.quick };
    let binary = compile(source, &compiler, &directory, progress).await?;
    let compiled = Some(Instant::now());
    let binary = std::fs::read(&binary).map_err(io_error("read", &binary))?;
    check(source, &binary, options.ceiling)?;
    let effort = if options.quick { Effort::Quick } else { Effort::ForKeeps };
    let bytes = super::zip::bootstrap(&binary, effort).map_err(io_error("pack", &zip))?;
    write_whole(&zip, &bytes).map_err(io_error("write", &zip))?;
    Ok(Built { compiled, ..built(zip, &bytes, false) })
}

/// Waits until no other build, of any process, works in `directory`. It is ours until the file is dropped.
async fn turn(directory: &Path) -> Result<std::fs::File, BuildError> {
    let path = directory.with_extension("lock");
    let failed = io_error("lock", &path);
    let lock = move || -> io::Result<std::fs::File> {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let file = std::fs::File::create(&path)?;
        file.lock()?;
        Ok(file)
    };
    tokio::task::spawn_blocking(lock).await.unwrap_or_else(|gone| Err(gone.into())).map_err(failed)
}

/// The zip of the very same sources, compiler and target, if it was built before.
pub async fn cached(source: &Source, options: &Options) -> Option<Built> {
    let toolchain = Toolchain::find(&options.architecture).await?;
    let target = target(&toolchain.builder(options.ceiling, options.host), options);
    let zip = package(source, options, &toolchain, target.as_deref());
    let bytes = tokio::fs::read(&zip).await.ok()?;
    Some(built(zip, &bytes, true))
}

/// Where the zip of these sources, this compiler and this target is kept.
fn package(source: &Source, options: &Options, toolchain: &Toolchain, target: Option<&str>) -> PathBuf {
    let salt = [toolchain.rustc.as_str(), target.unwrap_or_default(), &format!("{:?}", profile(options.quick))];
    options.cache.join("packages").join(format!("{}.zip", source.fingerprint(&salt)))
}

/// Release settings for a small function. Given by environment: a profile in a member's own manifest is ignored by cargo.
const PROFILE: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "false"),
];

/// The same without what takes the time: no optimisation over crates, and of a change only what it changes is compiled.
const QUICK: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "true"),
];

fn profile(quick: bool) -> &'static [(&'static str, &'static str)] {
    if quick { QUICK } else { PROFILE }
}

/// What compiles, for what, and how well.
struct Compiler<'a> {
    toolchain: &'a Toolchain,
    builder: &'a Builder,
    target: Option<&'a str>,
    quick: bool,
}

/// The target triple to name; `None` builds for the host without one.
fn target(builder: &Builder, options: &Options) -> Option<String> {
    let Options { architecture, ceiling, .. } = options;
    match builder {
        Builder::Native => None,
        Builder::Zig => Some(format!("{architecture}-unknown-linux-gnu.{ceiling}")),
        Builder::Musl => Some(format!("{architecture}-unknown-linux-musl")),
    }
}

/// Runs the command that it is given, with a guard beside it that ends the whole process group when stdin does: however
/// labctl ends, no compiler goes on without it (cargo leaves the compilers it started running when it is killed).
const GUARDED: &str = r#"
exec 3<&0 </dev/null
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
"$@"
status=$?
kill -KILL $! && wait $! 2>/dev/null
exit $status"#;

async fn compile(
    source: &Source,
    &Compiler { toolchain, builder, target, quick }: &Compiler<'_>,
    directory: &Path,
    progress: impl Fn(&str),
) -> Result<PathBuf, BuildError> {
    // One target directory for all functions: their dependencies are compiled once. Another profile would compile them again.
    let output = directory.parent().unwrap_or(directory).join(if quick { "target-quick" } else { "target" });
    let mut command = Command::new("sh");
    command.args(["-c", GUARDED, "sh"]).arg(&toolchain.cargo);
    command.arg(if *builder == Builder::Zig { "zigbuild" } else { "build" });
    command
        .args(["--release", "--bin", &source.crate_name, "--color", "never"])
        .current_dir(directory.join(&source.crate_name));
    if source.is_locked() {
        command.arg("--locked");
    }
    command.env("CARGO_TARGET_DIR", &output).envs(profile(quick).iter().copied());
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    if let Some(target) = target {
        command.args(["--target", target]);
    }
    if *builder == Builder::Musl {
        let (musl, cc) = (target.unwrap_or_default().replace('-', "_"), "musl-gcc");
        command.env(format!("CC_{musl}"), cc).env(format!("CARGO_TARGET_{}_LINKER", musl.to_uppercase()), cc);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let started = io_error("start", &toolchain.cargo);
    let mut child = command.spawn().map_err(started)?;
    let guard = child.stdin.take();
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            progress(line.trim());
            said.push(line);
        }
    }
    let status = child.wait().await.map_err(io_error("wait for", &toolchain.cargo))?;
    drop(guard);
    if !status.success() {
        return Err(BuildError::Compile { crate_name: source.crate_name.clone(), output: tail(&said) });
    }
    // Zig's target has a glibc version behind the triple; cargo's folder does not.
    let folder = target.map(|target| target.split('.').next().unwrap_or(target).to_owned()).unwrap_or_default();
    Ok(output.join(folder).join("release").join(&source.crate_name))
}

fn check(source: &Source, binary: &[u8], ceiling: Version) -> Result<(), BuildError> {
    let crate_name = source.crate_name.clone();
    match glibc::requirement(binary) {
        Ok(Some(needs)) if needs.version > ceiling => Err(BuildError::TooNewGlibc { crate_name, needs, ceiling }),
        Ok(_) => Ok(()),
        Err(source) => Err(BuildError::NotElf { crate_name, source }),
    }
}

/// What cargo said, from the first error on, at most forty lines.
fn tail(said: &[String]) -> String {
    let from = said.iter().position(|line| line.starts_with("error")).unwrap_or(said.len().saturating_sub(40));
    said[from..].iter().take(40).cloned().collect::<Vec<_>>().join("\n")
}

fn built(zip: PathBuf, bytes: &[u8], cached: bool) -> Built {
    Built { zip, sha256: hex::encode(Sha256::digest(bytes)), size: bytes.len() as u64, cached, compiled: None }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    io::Write::write_all(&mut file, bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BuildError + use<> {
    let path = path.to_owned();
    move |source| BuildError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(main: &str) -> Source {
        let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
        let files = [("Cargo.toml", manifest), ("src/main.rs", main)];
        let files = files.into_iter().map(|(path, text)| (format!("tiny/{path}"), text.as_bytes().to_vec())).collect();
        Source { crate_name: "tiny".to_owned(), files }
    }

    fn options(cache: &Path, ceiling: Version) -> Options {
        let architecture = std::env::consts::ARCH.to_owned();
        Options { cache: cache.to_owned(), architecture, ceiling, host: Some(ceiling), quick: false }
    }

    const ANY: Version = Version { major: 99, minor: 0 };

    #[tokio::test]
    async fn the_same_sources_are_compiled_once_and_give_the_same_zip() {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path(), ANY);
        let first = build(&source("fn main() {}"), &options, |_| ()).await.unwrap();
        assert!(!first.cached && first.size > 1000);
        let again = build(&source("fn main() {}"), &options, |_| ()).await.unwrap();
        assert!(again.cached);
        assert_eq!(first.key("tiny"), again.key("tiny"));
        let quick = Options { quick: true, ..options };
        let tried = build(&source("fn main() {}"), &quick, |_| ()).await.unwrap();
        assert!(!tried.cached && tried.compiled.is_some() && tried.key("tiny") != first.key("tiny"));
    }

    #[tokio::test]
    async fn a_binary_that_needs_a_newer_glibc_is_refused_by_symbol_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let old = Version { major: 2, minor: 1 };
        let error = build(&source("fn main() {}"), &options(dir.path(), old), |_| ()).await.unwrap_err();
        let BuildError::TooNewGlibc { needs, .. } = &error else { panic!("{error}") };
        assert!(error.to_string().contains(&format!("`{}`", needs.symbol)) && error.remedy().unwrap().contains("zig"));
    }

    #[tokio::test]
    async fn crates_of_one_name_that_are_built_at_once_get_each_its_own_binary() {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path(), ANY);
        let (one, two) =
            (source("fn main() { println!(\"the first\") }"), source("fn main() { println!(\"the 2nd\") }"));
        let (first, second) = tokio::join!(build(&one, &options, |_| ()), build(&two, &options, |_| ()));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_ne!(first.sha256, second.sha256);
        for (built, text) in [(first, "the first"), (second, "the 2nd")] {
            let mut zip = ::zip::ZipArchive::new(std::fs::File::open(built.zip).unwrap()).unwrap();
            let mut binary = Vec::new();
            io::Read::read_to_end(&mut zip.by_index(0).unwrap(), &mut binary).unwrap();
            assert!(binary.windows(text.len()).any(|part| part == text.as_bytes()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_lock_file_that_does_not_fit_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let mut source = source("fn main() {}");
        source.files.insert("tiny/Cargo.lock".to_owned(), b"version = 4\n".to_vec());
        let error = build(&source, &options(dir.path(), ANY), |_| ()).await.unwrap_err();
        assert!(error.remedy().unwrap().contains("cargo update --workspace"), "{error}");
    }

    #[tokio::test]
    async fn a_compile_error_is_shown() {
        let dir = tempfile::tempdir().unwrap();
        let error = build(&source("fn main() { missing }"), &options(dir.path(), ANY), |_| ()).await.unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
    }
}
