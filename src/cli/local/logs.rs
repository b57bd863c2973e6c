//! `labctl local logs`.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::Wish;
use crate::cli::context::Context;
use crate::error::Failure;
use crate::ui::{Answer, Format, Theme};

/// Show the log of the local cloud, or of one of its engines or functions
#[derive(clap::Args, Debug)]
pub(super) struct LogsArgs {
    /// Which log; none: the local cloud's own
    #[arg(default_value = "local")]
    name: String,
    /// Go on with what is added
    #[arg(long, short)]
    follow: bool,
    /// How many lines to show, from the end
    #[arg(long, short = 'n', value_name = "N", default_value_t = 200)]
    lines: usize,
}

#[derive(Serialize)]
struct Log {
    name: String,
    lines: Vec<String>,
}

impl Answer for Log {
    fn text(&self, _: Theme) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

pub(super) async fn logs(args: &LogsArgs, wish: &Wish, cx: &Context) -> Result<(), Failure> {
    if args.follow && cx.ui.format() == Format::Json {
        return Err(Failure::usage("--follow never ends, and --output json is one document")
            .hint("labctl local logs --output json"));
    }
    let path = choose(&wish.home.join("logs"), &args.name)?;
    let failed = |error: std::io::Error| Failure::failed(format!("cannot read {}", path.display())).because(error);
    let mut file = std::fs::File::open(&path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let shown = lines.len().saturating_sub(args.lines);
    cx.ui.answer(&Log { name: args.name.clone(), lines: lines[shown..].to_vec() });
    if args.follow {
        follow(&path, bytes.len() as u64, cx).await.map_err(failed)?;
    }
    Ok(())
}

/// Shows what is added, until the user interrupts; begins anew when the file was.
async fn follow(path: &Path, mut seen: u64, cx: &Context) -> std::io::Result<()> {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mut file = match std::fs::File::open(path) {
            Ok(file) => file,
            // Removed with what it was the log of; it may come back.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        if length < seen {
            seen = 0;
        }
        if length > seen {
            file.seek(SeekFrom::Start(seen))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            seen += bytes.len() as u64;
            cx.ui.raw(&String::from_utf8_lossy(&bytes));
        }
    }
}

fn choose(logs: &Path, name: &str) -> Result<PathBuf, Failure> {
    let names = names(logs);
    if names.iter().any(|known| known == name) {
        return Ok(logs.join(format!("{name}.log")));
    }
    if names.is_empty() {
        return Err(Failure::failed("there are no logs yet").hint("labctl local start"));
    }
    let near = names.iter().filter(|known| known.contains(name) || strsim::levenshtein(known, name) < 3);
    let near: Vec<&String> = near.collect();
    let failure = Failure::usage(format!("no log is called `{name}`"));
    let shown = if near.is_empty() { names.iter().collect() } else { near };
    Err(shown.into_iter().take(10).fold(failure, |failure, known| failure.hint(format!("labctl local logs {known}"))))
}

/// Every `NAME.log`, also of folders below: `lambda/superheroes`.
fn names(logs: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![logs.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                let stem = path.with_extension("");
                found.extend(stem.strip_prefix(logs).ok().and_then(Path::to_str).map(str::to_owned));
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_log_that_is_not_there_is_refused_with_the_near_miss() {
        let dir = tempfile::tempdir().unwrap();
        assert!(choose(dir.path(), "local").unwrap_err().summary.contains("no logs yet"));
        for name in ["local.log", "elasticache/sessions.log"] {
            crate::local::store::replace(&dir.path().join(name), b"x\n").unwrap();
        }
        assert_eq!(choose(dir.path(), "elasticache/sessions").unwrap(), dir.path().join("elasticache/sessions.log"));
        assert_eq!(choose(dir.path(), "locla").unwrap_err().hints, ["labctl local logs local"]);
        assert!(choose(dir.path(), "../x").is_err());
    }
}
