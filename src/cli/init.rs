//! `labctl init`.

use super::context::Context;
use crate::engine::sources;
use crate::error::Failure;
use crate::lab::{self, Lab, LoadError, builtin};
use crate::ui::{Answer, Theme, words};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Write an editable copy of a built-in lab
///
/// The manifest, its templates, function sources, SQL and data. `labctl up` in the folder then uses the copy.
#[derive(clap::Args, Debug)]
pub(crate) struct InitArgs {
    /// Built-in lab to copy (see `labctl labs`)
    #[arg(value_name = "LAB")]
    lab: String,
    /// Folder to write to; it may exist, but must be empty. Default: the lab's name
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct InitAnswer {
    lab: String,
    folder: String,
    files: Vec<String>,
}

impl Answer for InitAnswer {
    fn text(&self, _theme: Theme) -> String {
        let files = words::count(self.files.len(), "file");
        format!("wrote {files} to {}\nnext: cd {} && labctl plan --local\n", self.folder, self.folder)
    }
}

pub(crate) fn run(args: InitArgs, cx: &Context) -> Result<(), Failure> {
    if !builtin::labs().contains(&args.lab.as_str()) {
        let known = builtin::labs().join(", ");
        let near = crate::template::problem::nearest(&args.lab, builtin::labs());
        let failure = Failure::usage(format!("no built-in lab is called `{}`", args.lab));
        let failure = near.into_iter().fold(failure, |failure, near| failure.hint(format!("did you mean `{near}`?")));
        return Err(failure.hint(format!("there are: {known}")));
    }
    let lab = lab::load(Some(&args.lab), Path::new("."));
    let lab = lab.map_err(|error: LoadError| Failure::failed("the built-in lab is broken").because(error))?;
    let folder = args.dir.unwrap_or_else(|| PathBuf::from(&args.lab));
    let shown = folder.display().to_string();
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::usage(format!("folder `{shown}` is not empty"))
            .hint(format!("labctl init {} ANOTHER-FOLDER", args.lab)));
    }
    let files = files(&lab);
    for (path, bytes) in &files {
        write(&folder.join(path), bytes)
            .map_err(|error| Failure::failed(format!("cannot write `{shown}/{path}`")).because(error))?;
    }
    cx.ui.answer(&InitAnswer { lab: args.lab, folder: shown, files: files.into_keys().collect() });
    Ok(())
}

/// Every file of the lab by its path in the copy: the manifest and its neighbours at the top, the rest in its folders.
fn files(lab: &Lab) -> BTreeMap<String, Vec<u8>> {
    let examples = format!("examples/{}/", lab.manifest.lab);
    let mut folders = vec![examples.trim_end_matches('/').to_owned()];
    let crates =
        lab.manifest.functions.keys().flat_map(|function| sources::crates_of(lab, function).unwrap_or_default());
    folders.extend(crates.map(|name| format!("lambdas/{name}")));
    folders.extend(lab.manifest.sql.iter().map(|sql| sql.path.clone()));
    let embedded = folders.iter().flat_map(|folder| builtin::folder(folder));
    let mut files: BTreeMap<String, Vec<u8>> = embedded
        .map(|(path, bytes)| (path.strip_prefix(&examples).unwrap_or(&path).to_owned(), bytes.to_vec()))
        .collect();
    for stack in &lab.stacks {
        files.insert(format!("templates/{}.yaml", stack.name), stack.text.clone().into_bytes());
    }
    files
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, bytes)
}
