//! `labctl local logs`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::Wish;
use crate::cli::context::Context;
use crate::error::Failure;
use crate::local::process::logs::earlier;
use crate::ui::{Answer, Format, Theme};

/// Show the log of the local cloud, or of one of its engines. What functions print is in `labctl logs`
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
    let failed = |error: io::Error| Failure::failed(format!("cannot read {}", path.display())).because(error);
    let file = File::open(&path).map_err(failed)?;
    let (mut lines, end) = tail(&file, args.lines).map_err(failed)?;
    // A log that was turned a moment ago goes on in the one before.
    if lines.len() < args.lines
        && let Ok(earlier) = File::open(earlier(&path))
    {
        let (before, _) = tail(&earlier, args.lines - lines.len()).map_err(failed)?;
        lines.splice(0..0, before);
    }
    cx.ui.answer(&Log { name: args.name.clone(), lines });
    if args.follow {
        follow(&path, file, end, cx).await.map_err(failed)?;
    }
    Ok(())
}

/// The last lines, and where the file ends. No more is read than it takes to find them.
fn tail(file: &File, lines: usize) -> io::Result<(Vec<String>, u64)> {
    const PIECE: u64 = 64 * 1024;
    let end = file.metadata()?.len();
    let (mut start, mut pieces, mut breaks) = (end, Vec::new(), 0);
    // The break that ends the line before the first wanted one has to be in it.
    while start > 0 && breaks <= lines {
        let length = start.min(PIECE);
        start -= length;
        // At most 64 KiB.
        let mut piece = vec![0; length as usize];
        file.read_exact_at(&mut piece, start)?;
        breaks += piece.iter().filter(|byte| **byte == b'\n').count();
        pieces.push(piece);
    }
    pieces.reverse();
    let bytes = pieces.concat();
    let text = String::from_utf8_lossy(&bytes);
    let mut found: Vec<String> = text.lines().map(str::to_owned).collect();
    let more = found.len().saturating_sub(lines);
    found.drain(..more);
    Ok((found, end))
}

/// Shows what is added, until the user interrupts; goes on in the new file when the log was turned.
async fn follow(path: &Path, mut file: File, mut seen: u64, cx: &Context) -> io::Result<()> {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
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
            continue;
        }
        match File::open(path) {
            Ok(now) if now.metadata()?.ino() != file.metadata()?.ino() => (file, seen) = (now, 0),
            Ok(_) => {}
            // Removed with what it was the log of; it may come back.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
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
    let shown: Vec<&String> = if near.is_empty() { names.iter().collect() } else { near };
    let more = shown.len().saturating_sub(MOST_NAMES);
    let failure = shown
        .into_iter()
        .take(MOST_NAMES)
        .fold(failure, |failure, known| failure.hint(format!("labctl local logs {known}")));
    Err(if more > 0 { failure.hint(format!("and {more} more, in {}", logs.display())) } else { failure })
}

/// So many logs are named to who named none of them.
const MOST_NAMES: usize = 10;

/// Every `NAME.log`, also of folders below: `rds/superheroes`.
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

    #[test]
    fn only_the_end_of_a_log_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("local.log");
        let text: String = (0..200_000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&path, &text).unwrap();
        let file = File::open(&path).unwrap();
        let (lines, end) = tail(&file, 2).unwrap();
        assert_eq!(
            (lines.as_slice(), end),
            (&["line 199998".to_owned(), "line 199999".to_owned()][..], text.len() as u64)
        );
        assert_eq!(tail(&file, 150_000).unwrap().0[0], "line 50000");
        assert_eq!(tail(&file, usize::MAX).unwrap().0.len(), 200_000);
        assert_eq!(tail(&file, 0).unwrap().0.len(), 0);
        std::fs::write(&path, "one\ntwo").unwrap();
        assert_eq!(tail(&File::open(&path).unwrap(), 1).unwrap().0, ["two"]);
    }
}
