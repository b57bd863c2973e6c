//! The files of the built-in labs, embedded.

/// Names of the built-in labs, sorted.
pub fn labs() -> Vec<&'static str> {
    Vec::new()
}

/// A file by its path in the repository, such as `templates/network.yaml`.
pub fn file(_path: &str) -> Option<&'static [u8]> {
    None
}

/// The files under a folder of the repository, with their paths, sorted.
pub fn folder(_path: &str) -> Vec<(String, &'static [u8])> {
    Vec::new()
}
