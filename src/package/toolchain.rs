//! What this machine can build functions with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::glibc::Version;

/// How a function is compiled. The order is the order of preference for a target with an older glibc than this machine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Builder {
    /// Plain cargo: links this machine's glibc.
    Native,
    /// `cargo zigbuild`: links the glibc that is asked for.
    Zig,
    /// Plain cargo for the musl target: links no glibc at all.
    Musl,
}

/// Cargo and what goes with it.
#[derive(Clone, Debug)]
pub struct Toolchain {
    pub cargo: PathBuf,
    /// `rustc -vV`: the compiler's exact version and host.
    pub rustc: String,
    pub zig: bool,
    pub musl: bool,
}

impl Toolchain {
    /// Looks for cargo, rustc, zig and musl; `None` without cargo or rustc.
    pub async fn find(architecture: &str) -> Option<Toolchain> {
        let cargo = on_path("cargo")?;
        let rustc = output("rustc", &["-vV"]).await?;
        let sysroot = output("rustc", &["--print", "sysroot"]).await?;
        let musl_target = format!("{architecture}-unknown-linux-musl");
        let standard_library = Path::new(sysroot.trim()).join("lib/rustlib").join(musl_target).join("lib");
        let zig = on_path("cargo-zigbuild").is_some() && (on_path("zig").is_some() || python_has_zig().await);
        Some(Toolchain { cargo, rustc, zig, musl: standard_library.is_dir() && on_path("musl-gcc").is_some() })
    }

    /// The processor that plain cargo builds for: `x86_64`, `aarch64`.
    pub fn host_architecture(&self) -> &str {
        let host = self.rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("");
        host.split('-').next().unwrap_or("")
    }

    /// The best builder for a target with this glibc.
    pub fn builder(&self, ceiling: Version, host: Option<Version>) -> Builder {
        if host.is_some_and(|host| host <= ceiling) {
            Builder::Native
        } else if self.zig {
            Builder::Zig
        } else if self.musl {
            Builder::Musl
        } else {
            Builder::Native
        }
    }
}

/// A program by name on `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

async fn python_has_zig() -> bool {
    output("python3", &["-m", "ziglang", "version"]).await.is_some()
}

async fn output(program: &str, args: &[&str]) -> Option<String> {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let output = Command::new(program).args(args).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2_34: Version = Version { major: 2, minor: 34 };
    const V2_36: Version = Version { major: 2, minor: 36 };

    #[test]
    fn an_older_glibc_than_this_machine_s_asks_for_zig_or_musl() {
        let with = |zig, musl| Toolchain { cargo: PathBuf::new(), rustc: String::new(), zig, musl };
        assert_eq!(with(true, true).builder(V2_36, Some(V2_36)), Builder::Native);
        assert_eq!(with(true, true).builder(V2_34, Some(V2_36)), Builder::Zig);
        assert_eq!(with(false, true).builder(V2_34, Some(V2_36)), Builder::Musl);
        assert_eq!(with(false, false).builder(V2_34, Some(V2_36)), Builder::Native);
        assert_eq!(with(false, true).builder(V2_34, None), Builder::Musl);
    }
}
