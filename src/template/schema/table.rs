//! The tables that `tools/cfn_schemas.py` makes: embedded, and each unpacked when its type is first asked for.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use flate2::read::ZlibDecoder;
use indexmap::IndexMap;
use regex::Regex;
use serde::Deserialize;

static PACKED: &[u8] = include_bytes!("../tables/cloudformation.bin");

#[derive(Deserialize)]
struct Index {
    source: String,
    date: String,
    names: Vec<String>,
    /// The lengths of the tables, in the order in which they lie in the file.
    tables: IndexMap<String, usize>,
}

/// What is known of one resource type.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    #[serde(rename = "s")]
    pub(super) schema: Schema,
    #[serde(rename = "d")]
    pub(super) definitions: HashMap<String, Schema>,
    #[serde(rename = "at")]
    pub(super) attributes: Vec<String>,
    #[serde(rename = "ro")]
    pub(super) read_only: Vec<String>,
    #[serde(rename = "co")]
    pub(super) create_only: Vec<String>,
    #[serde(rename = "cc")]
    pub(super) conditional_create_only: Vec<String>,
    #[serde(rename = "id")]
    pub(super) identifier: Vec<String>,
    #[serde(rename = "tg")]
    pub(super) tags: Option<String>,
}

/// The part of JSON schema that the tables use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Schema {
    #[serde(rename = "r")]
    pub(super) reference: Option<String>,
    /// One letter for each type: `s`, `i`, `n`, `b`, `a`, `o`. Empty: any.
    #[serde(rename = "t")]
    pub(super) types: String,
    #[serde(rename = "p")]
    pub(super) properties: IndexMap<String, Schema>,
    #[serde(rename = "pp")]
    pub(super) pattern_properties: IndexMap<String, Schema>,
    #[serde(rename = "x")]
    pub(super) closed: bool,
    #[serde(rename = "q")]
    pub(super) required: Vec<String>,
    /// Exactly one of them.
    #[serde(rename = "qx")]
    pub(super) required_one: Vec<String>,
    /// At least one of them.
    #[serde(rename = "qo")]
    pub(super) required_any: Vec<String>,
    #[serde(rename = "dq")]
    pub(super) dependent_required: IndexMap<String, Vec<String>>,
    #[serde(rename = "dx")]
    pub(super) dependent_excluded: IndexMap<String, Vec<String>>,
    #[serde(rename = "i")]
    pub(super) items: Option<Box<Schema>>,
    #[serde(rename = "u")]
    pub(super) unique: bool,
    #[serde(rename = "an")]
    pub(super) min_items: Option<usize>,
    #[serde(rename = "ax")]
    pub(super) max_items: Option<usize>,
    #[serde(rename = "e")]
    pub(super) values: Vec<String>,
    #[serde(rename = "ei")]
    pub(super) values_in_any_case: Vec<String>,
    #[serde(rename = "mn")]
    pub(super) minimum: Option<f64>,
    #[serde(rename = "mx")]
    pub(super) maximum: Option<f64>,
    #[serde(rename = "ln")]
    pub(super) min_length: Option<usize>,
    #[serde(rename = "lx")]
    pub(super) max_length: Option<usize>,
    #[serde(rename = "re")]
    pub(super) pattern: Option<String>,
    #[serde(rename = "any")]
    pub(super) any_of: Vec<Schema>,
    #[serde(rename = "one")]
    pub(super) one_of: Vec<Schema>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let (_, packed) = PACKED.split_at(4);
    // The file is embedded and a test reads all of it: it cannot be damaged at run time.
    serde_json::from_slice(&unpacked(&packed[..index_length()])).expect("the embedded index is valid")
});

static TABLES: LazyLock<Mutex<HashMap<String, Arc<Table>>>> = LazyLock::new(Mutex::default);
static PATTERNS: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);

fn index_length() -> usize {
    PACKED.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize)
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // As above: what is embedded is whole.
    ZlibDecoder::new(packed).read_to_end(&mut bytes).expect("the embedded tables are whole");
    bytes
}

/// The names of all resource types, sorted.
pub(super) fn names() -> &'static [String] {
    &INDEX.names
}

/// Where the tables come from, with the date of the schemas.
pub(super) fn source() -> String {
    format!("{} ({})", INDEX.source, INDEX.date)
}

/// The names of the types that have a table.
pub(super) fn kept() -> impl Iterator<Item = &'static str> {
    INDEX.tables.keys().map(String::as_str)
}

pub(super) fn of(kind: &str) -> Option<Arc<Table>> {
    // `Custom::Anything` takes what the generic custom resource takes.
    let kind = if kind.starts_with("Custom::") { "AWS::CloudFormation::CustomResource" } else { kind };
    let place = INDEX.tables.get_index_of(kind)?;
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(table) = tables.get(kind) {
        return Some(Arc::clone(table));
    }
    let start = 4 + index_length() + INDEX.tables.values().take(place).sum::<usize>();
    let packed = &PACKED[start..start + INDEX.tables[place]];
    // As above.
    let table: Arc<Table> = Arc::new(serde_json::from_slice(&unpacked(packed)).expect("the embedded tables are valid"));
    tables.insert(kind.to_owned(), Arc::clone(&table));
    Some(table)
}

/// Whether the text has a match of the pattern; a pattern that Rust cannot express is not checked.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
    regex.as_ref().is_none_or(|regex| regex.is_match(text))
}

impl Table {
    /// The schema itself, behind references.
    pub(super) fn resolve<'t>(&'t self, schema: &'t Schema) -> &'t Schema {
        let mut schema = schema;
        // A definition that refers to itself at once would never end; eight steps are more than any has.
        for _ in 0..8 {
            match schema.reference.as_ref().and_then(|name| self.definitions.get(name)) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }
}
