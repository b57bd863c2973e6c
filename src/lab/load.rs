//! From a lab's name or path to a [`Lab`] with every file read and every problem found.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use crate::template::problem::nearest;
use crate::template::{Position, Problem, Template};

use super::model::{File, Lab, MANIFEST, Manifest, Origin, Stack};
use super::{builtin, validate};

/// Why a lab cannot be loaded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    #[error("no lab is called `{name}`{}", near.as_ref().map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default())]
    UnknownLab { name: String, near: Option<String>, known: Vec<String> },
    #[error("cannot read {file}: {why}")]
    Unreadable { file: String, why: String },
    #[error("the lab cannot be loaded as it is written")]
    Problems {
        problems: Vec<FileProblem>,
        /// What the manifest says, if so much of it can be read that `--set` can be held to it.
        manifest: Option<Box<Manifest>>,
    },
}

/// A problem and the file that has it. Shown as `file:line:column: what`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{problem}")]
pub struct FileProblem {
    pub file: String,
    pub problem: Problem,
}

/// Gives the files that a manifest names.
pub trait Source {
    /// A file beside the manifest, or in the house's layout (`templates/network.yaml`), and its name for messages. `None`: there is none.
    fn file(&self, path: &str) -> io::Result<Option<(String, Cow<'static, [u8]>)>>;

    /// The names of the files of a folder.
    fn names(&self, folder: &str) -> io::Result<Vec<String>>;
}

/// The embedded files, as a built-in lab sees them.
pub struct Embedded<'n> {
    pub lab: &'n str,
}

impl Source for Embedded<'_> {
    fn file(&self, path: &str) -> io::Result<Option<(String, Cow<'static, [u8]>)>> {
        let beside = format!("examples/{}/{path}", self.lab);
        let found = [beside, path.to_owned()]
            .into_iter()
            .find_map(|name| builtin::file(&name).map(|bytes| (name, bytes.into())));
        Ok(found)
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let inside = format!("{folder}/");
        let names =
            builtin::folder(folder).into_iter().filter_map(|(path, _)| path.strip_prefix(&inside).map(str::to_owned));
        Ok(names.filter(|name| !name.contains('/')).collect())
    }
}

/// A user's folder. Templates, functions and SQL that it lacks are those of the program.
pub struct Folder {
    pub root: PathBuf,
}

impl Source for Folder {
    fn file(&self, path: &str) -> io::Result<Option<(String, Cow<'static, [u8]>)>> {
        let own = self.root.join(path);
        match std::fs::read(&own) {
            Ok(bytes) => Ok(Some((own.display().to_string(), bytes.into()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(builtin::file(path).map(|bytes| (path.to_owned(), bytes.into())))
            }
            Err(error) => Err(error),
        }
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.root.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Embedded { lab: "" }.names(folder),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.path().is_file() {
                names.extend(entry.file_name().into_string().ok());
            }
        }
        Ok(names)
    }
}

/// Whether a lab is named by a path. A folder with a manifest wins over the built-in lab of its name: it is the copy that
/// somebody edits.
pub fn is_path(lab: &str, here: &Path) -> bool {
    lab.contains(std::path::MAIN_SEPARATOR)
        || lab.starts_with('.')
        || [".yaml", ".yml"].iter().any(|end| lab.ends_with(end))
        || here.join(lab).join(MANIFEST).is_file()
}

/// Loads a lab: a built-in name, a path to a manifest or its folder, or, with `None`, `lab.yaml` in `here`.
pub fn load(lab: Option<&str>, here: &Path) -> Result<Lab, LoadError> {
    let name = lab.unwrap_or(MANIFEST);
    let named = lab.filter(|lab| !is_path(lab, here));
    if let Some(text) = named.and_then(|lab| builtin::file(&format!("examples/{lab}/{MANIFEST}"))) {
        let file = format!("examples/{name}/{MANIFEST}");
        return assemble(&file, &text_of(&file, text)?, &Embedded { lab: name }, Origin::Builtin);
    }
    let path = manifest_at(name, here);
    if named.is_some() && !path.exists() && !here.join(name).is_dir() {
        let known = builtin::labs();
        let near = nearest(name, known.iter().copied()).map(str::to_owned);
        return Err(LoadError::UnknownLab {
            name: name.to_owned(),
            near,
            known: known.into_iter().map(str::to_owned).collect(),
        });
    }
    let shown = path.strip_prefix(here).unwrap_or(&path).display().to_string();
    let bytes =
        std::fs::read(&path).map_err(|error| LoadError::Unreadable { file: shown.clone(), why: error.to_string() })?;
    let root = path.parent().unwrap_or(here).to_path_buf();
    assemble(&shown, &text_of(&shown, &bytes)?, &Folder { root: root.clone() }, Origin::Folder(root))
}

fn manifest_at(name: &str, here: &Path) -> PathBuf {
    let path = here.join(name);
    if path.is_dir() { path.join(MANIFEST) } else { path }
}

/// What the manifest at a path calls its lab, also where the rest of it, or a file that it names, has mistakes.
pub fn name_in(lab: Option<&str>, here: &Path) -> Option<String> {
    let text = std::fs::read_to_string(manifest_at(lab.unwrap_or(MANIFEST), here)).ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("lab:"))?;
    let name = name.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    validate::is_name(name).then(|| name.to_owned())
}

fn text_of(file: &str, bytes: &[u8]) -> Result<String, LoadError> {
    text(bytes).map_err(|problem| LoadError::Problems {
        problems: vec![FileProblem { file: file.to_owned(), problem }],
        manifest: None,
    })
}

/// Bytes as text; the problem says where they stop to be UTF-8.
fn text(bytes: &[u8]) -> Result<String, Problem> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let (line, column) =
            good.lines().enumerate().last().map_or((1, 1), |(index, last)| match good.ends_with('\n') {
                true => (index + 2, 1),
                false => (index + 1, last.chars().count() + 1),
            });
        let byte = bytes[error.valid_up_to()];
        Problem::new(Position { line, column }, "", format!("the byte 0x{byte:02x} is not UTF-8 text"))
    })
}

/// Reads everything that a manifest names. A function of its arguments: the files come from `source` alone.
pub fn assemble(file: &str, text: &str, source: &dyn Source, origin: Origin) -> Result<Lab, LoadError> {
    let mut gather = Gather { manifest_file: file, source, problems: Vec::new() };
    let (manifest, problems) = validate::read(text);
    gather.problems_of(file, problems);
    let Some(manifest) = manifest else {
        return Err(LoadError::Problems { problems: gather.problems, manifest: None });
    };
    let stacks = gather.stacks(&manifest);
    let sql = gather.sql(&manifest);
    let queries = gather.queries(&manifest);
    let data = gather.data(&manifest);
    gather.functions(&manifest);
    if !gather.problems.is_empty() {
        return Err(LoadError::Problems { problems: gather.problems, manifest: Some(Box::new(manifest)) });
    }
    Ok(Lab { manifest, file: file.to_owned(), text: text.to_owned(), stacks, sql, queries, data, origin })
}

/// Collects files, and what is wrong with them.
struct Gather<'a> {
    manifest_file: &'a str,
    source: &'a dyn Source,
    problems: Vec<FileProblem>,
}

impl Gather<'_> {
    fn problems_of(&mut self, file: &str, problems: Vec<Problem>) {
        self.problems.extend(problems.into_iter().map(|problem| FileProblem { file: file.to_owned(), problem }));
    }

    fn problem(&mut self, at: Position, path: &str, what: String) {
        self.problems_of(self.manifest_file, vec![Problem::new(at, path, what)]);
    }

    /// A file that the manifest names at a place.
    fn read(&mut self, at: Position, key: &str, path: &str) -> Option<(String, Cow<'static, [u8]>)> {
        match self.source.file(path) {
            Ok(Some(found)) => Some(found),
            Ok(None) => {
                self.problem(at, key, format!("there is no file {path}"));
                None
            }
            Err(error) => {
                self.problem(at, key, format!("cannot read {path}: {error}"));
                None
            }
        }
    }

    fn stacks(&mut self, manifest: &Manifest) -> Vec<Stack> {
        let mut stacks = Vec::with_capacity(manifest.stacks.len());
        for named in &manifest.stacks {
            let path = format!("templates/{}.yaml", named.name);
            if matches!(self.source.file(&path), Ok(None)) {
                let known = self.source.names("templates").unwrap_or_default();
                let known = known.iter().filter_map(|name| name.strip_suffix(".yaml"));
                let what = format!("there is no template {path}");
                let problem = Problem::new(named.at, "stacks", what).near(&named.name, known);
                self.problems_of(self.manifest_file, vec![problem]);
                continue;
            }
            let Some((file, bytes)) = self.read(named.at, "stacks", &path) else { continue };
            let text = match text(&bytes) {
                Ok(text) => text,
                Err(problem) => {
                    self.problems_of(&file, vec![problem]);
                    continue;
                }
            };
            match Template::check(&text) {
                Ok(template) => stacks.push(Stack { name: named.name.clone(), file, text, template }),
                Err(problems) => self.problems_of(&file, problems),
            }
        }
        stacks
    }

    fn sql(&mut self, manifest: &Manifest) -> Vec<File> {
        let Some(sql) = &manifest.sql else { return Vec::new() };
        let names = match self.source.names(&sql.path) {
            Ok(names) => names,
            Err(error) => {
                self.problem(sql.at, "sql.path", format!("cannot read {}: {error}", sql.path));
                return Vec::new();
            }
        };
        let mut names: Vec<String> = names.into_iter().filter(|name| name.ends_with(".sql")).collect();
        names.sort_unstable();
        if names.is_empty() {
            self.problem(sql.at, "sql.path", format!("there are no .sql files in {}", sql.path));
        }
        let read = names.into_iter().filter_map(|name| {
            let (file, bytes) = self.read(sql.at, "sql.path", &format!("{}/{name}", sql.path))?;
            if let Err(problem) = text(&bytes) {
                self.problems_of(&file, vec![problem]);
            }
            Some(File { name, bytes: bytes.into_owned() })
        });
        read.collect()
    }

    fn queries(&mut self, manifest: &Manifest) -> Vec<File> {
        let Some(sql) = &manifest.sql else { return Vec::new() };
        let read = manifest.queries.iter().filter_map(|(name, query)| {
            let key = format!("queries.{name}.file");
            let (file, bytes) = self.read(query.at, &key, &format!("{}/{}", sql.path, query.file))?;
            if let Err(problem) = text(&bytes) {
                self.problems_of(&file, vec![problem]);
            }
            Some(File { name: name.clone(), bytes: bytes.into_owned() })
        });
        read.collect()
    }

    fn data(&mut self, manifest: &Manifest) -> Vec<File> {
        let read = manifest.data.iter().filter_map(|data| {
            let (_, bytes) = self.read(data.at, "data", &data.file)?;
            Some(File { name: data.file.clone(), bytes: bytes.into_owned() })
        });
        read.collect()
    }

    fn functions(&mut self, manifest: &Manifest) {
        for (name, function) in &manifest.functions {
            self.read(
                function.at,
                &format!("functions.{name}"),
                &format!("lambdas/{}/Cargo.toml", function.crate_name),
            );
        }
    }
}

#[cfg(test)]
mod tests {

    use std::path::Path;

    use super::{LoadError, is_path, load};
    use crate::lab::builtin;
    use crate::lab::model::Origin;

    fn problems(error: LoadError) -> Vec<String> {
        match error {
            LoadError::Problems { problems, .. } => problems.iter().map(ToString::to_string).collect(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_built_in_lab_loads() {
        for name in builtin::labs() {
            let lab = load(Some(name), Path::new("/nowhere")).map_err(problems).unwrap();
            assert_eq!(lab.origin, Origin::Builtin);
            assert_eq!(lab.stacks.len(), lab.manifest.stacks.len());
            assert!(!lab.sql.is_empty() && lab.data.len() == lab.manifest.data.len());
        }
    }

    #[test]
    fn a_folder_or_a_path_is_a_lab_whose_missing_files_are_the_programs() {
        let home = tempfile::tempdir().unwrap();
        let text = "lab: mine\ndescription: my own\nstacks: [network, extra]\nsql: {path: schema, cluster: extra}\n";
        std::fs::write(home.path().join("lab.yaml"), text).unwrap();
        std::fs::create_dir_all(home.path().join("templates")).unwrap();
        std::fs::write(home.path().join("templates/extra.yaml"), "Resources: {B: {Type: AWS::S3::Bucket}}\n").unwrap();
        std::fs::create_dir_all(home.path().join("schema")).unwrap();
        for name in ["002_b.sql", "001_a.sql", "README.md"] {
            std::fs::write(home.path().join("schema").join(name), "SELECT 1;").unwrap();
        }
        let folder = home.path().to_str().unwrap();
        for lab in [load(None, home.path()), load(Some(folder), Path::new("/")), load(Some("./lab.yaml"), home.path())]
        {
            let lab = lab.map_err(problems).unwrap();
            assert_eq!(lab.origin, Origin::Folder(home.path().to_path_buf()));
            assert_eq!(lab.stacks[0].file, "templates/network.yaml");
            assert_eq!(lab.sql.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["001_a.sql", "002_b.sql"]);
        }
    }

    #[test]
    fn a_folder_with_a_manifest_wins_over_the_built_in_lab_of_its_name() {
        let here = tempfile::tempdir().unwrap();
        let copy = here.path().join("superheroes");
        std::fs::create_dir_all(&copy).unwrap();
        assert!(!is_path("superheroes", here.path()) && is_path("lab.yml", here.path()));
        assert_eq!(load(Some("superheroes"), here.path()).map_err(problems).unwrap().origin, Origin::Builtin);
        std::fs::write(copy.join("lab.yaml"), "lab: mine\ndescription: my own\nstacks: [network]\n").unwrap();
        let lab = load(Some("superheroes"), here.path()).map_err(problems).unwrap();
        assert_eq!((lab.manifest.lab.as_str(), lab.origin), ("mine", Origin::Folder(copy)));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_with_its_place_in_every_file_at_once() {
        let home = tempfile::tempdir().unwrap();
        let text = "lab: mine\ndescription: my own\nstacks: [netwrk, bad]\nsql: {path: nowhere, cluster: bad}\ndata: [{file: no.csv, to: s3://b/k}]\n";
        std::fs::write(home.path().join("lab.yaml"), text).unwrap();
        std::fs::create_dir_all(home.path().join("templates")).unwrap();
        std::fs::write(
            home.path().join("templates/bad.yaml"),
            "Resources:\n  B: {Type: AWS::S3::Bucket, DependsOn: C}\nOutput: {}\n",
        )
        .unwrap();
        let problems = problems(load(None, home.path()).unwrap_err());
        let bad = home.path().join("templates/bad.yaml").display().to_string();
        let expected = [
            "lab.yaml:3:10: stacks: there is no template templates/netwrk.yaml".to_owned(),
            format!("{bad}:2:41: Resources.B.DependsOn: `C` is no resource"),
            format!("{bad}:3:1: unknown template section `Output` (did you mean `Outputs`?)"),
            "lab.yaml:4:6: sql.path: there are no .sql files in nowhere".to_owned(),
            "lab.yaml:5:8: data: there is no file no.csv".to_owned(),
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn an_unknown_lab_gets_the_near_miss_and_the_list() {
        let error = load(Some("superheros"), Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.to_string(), "no lab is called `superheros` (did you mean `superheroes`?)");
        assert!(
            matches!(load(None, Path::new("/nowhere")), Err(LoadError::Unreadable { file, .. }) if file == "lab.yaml")
        );
        assert!(matches!(load(Some("./x"), Path::new("/nowhere")), Err(LoadError::Unreadable { .. })));
    }
}
