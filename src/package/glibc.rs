//! Which glibc a binary needs. Lambda's provided.al2023 has 2.34; a newer symbol makes the function fail at its start.

use std::fmt;

use object::elf::FileHeader64;
use object::read::elf::{FileHeader, Sym};
use object::{Endianness, SymbolIndex};

/// A version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// `2.34`, and `GLIBC_2.34` as symbols name it. `None`: something else, such as `GLIBC_PRIVATE`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.strip_prefix("GLIBC_").unwrap_or(text).split('.');
        Some(Version { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }
}

/// The newest glibc that a binary needs, and a symbol that needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    pub version: Version,
    pub symbol: String,
}

/// The newest requirement of an ELF binary; `None` if it needs no glibc (static, musl).
///
/// # Errors
/// The bytes are not a 64-bit ELF file.
pub fn requirement(binary: &[u8]) -> Result<Option<Requirement>, object::Error> {
    let header = FileHeader64::<Endianness>::parse(binary)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, binary)?;
    let symbols = sections.symbols(endian, binary, object::elf::SHT_DYNSYM)?;
    let Some(versions) = sections.versions(endian, binary)? else { return Ok(None) };
    let mut newest: Option<Requirement> = None;
    for (index, symbol) in symbols.enumerate() {
        if !symbol.is_undefined(endian) {
            continue;
        }
        let Some(needed) = versions.version(versions.version_index(endian, SymbolIndex(index.0)).index())? else {
            continue;
        };
        let name = std::str::from_utf8(needed.name()).unwrap_or("");
        let Some(version) = name.starts_with("GLIBC_").then(|| Version::parse(name)).flatten() else { continue };
        if newest.as_ref().is_none_or(|newest| newest.version < version) {
            let symbol = String::from_utf8_lossy(symbols.symbol_name(endian, symbol)?).into_owned();
            newest = Some(Requirement { version, symbol });
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(Version::parse("GLIBC_2.9") < Version::parse("2.34"));
        assert_eq!(Version::parse("GLIBC_PRIVATE"), None);
        assert_eq!(Version::parse("2.34.1").unwrap().to_string(), "2.34");
    }

    #[test]
    fn this_test_s_own_binary_needs_a_named_symbol_of_some_glibc() {
        let needed = requirement(&std::fs::read(std::env::current_exe().unwrap()).unwrap()).unwrap().unwrap();
        assert!(needed.version >= Version { major: 2, minor: 2 }, "{needed:?}");
        assert!(!needed.symbol.is_empty());
    }

    #[test]
    fn what_is_no_binary_is_refused() {
        assert!(requirement(b"#!/bin/sh\n").is_err());
    }
}
