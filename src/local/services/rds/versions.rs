//! The versions of Aurora MySQL that a cluster can have.

/// A version and what it can do.
pub(super) struct Version {
    pub(super) name: &'static str,
}

/// Those of the official CloudFormation schema that are not deprecated, oldest first.
pub(super) const VERSIONS: &[Version] = &[
    version("8.0.mysql_aurora.3.04.0"),
    version("8.0.mysql_aurora.3.04.1"),
    version("8.0.mysql_aurora.3.04.2"),
    version("8.0.mysql_aurora.3.04.3"),
    version("8.0.mysql_aurora.3.04.4"),
    version("8.0.mysql_aurora.3.04.6"),
    version("8.0.mysql_aurora.3.08.0"),
    version("8.0.mysql_aurora.3.08.1"),
    version("8.0.mysql_aurora.3.08.2"),
    version("8.0.mysql_aurora.3.09.0"),
    version("8.0.mysql_aurora.3.10.0"),
    version("8.0.mysql_aurora.3.10.1"),
    version("8.0.mysql_aurora.3.10.2"),
    version("8.0.mysql_aurora.3.10.3"),
    version("8.0.mysql_aurora.3.10.4"),
    version("8.0.mysql_aurora.3.10.5"),
    version("8.0.mysql_aurora.3.10.6"),
    version("8.0.mysql_aurora.3.11.1"),
    version("8.0.mysql_aurora.3.12.0"),
    version("8.0.mysql_aurora.3.13.0"),
    version("8.4.mysql_aurora.8.4.7"),
    version("8.4.mysql_aurora.8.4.8"),
];

/// What a cluster gets that names none.
pub(super) const DEFAULT: &str = "8.0.mysql_aurora.3.10.3";

/// When a cluster that names no other time is backed up, and may be worked on.
pub(super) const BACKUP_WINDOW: &str = "05:10-05:40";
pub(super) const MAINTENANCE_WINDOW: &str = "sun:06:10-sun:06:40";

const fn version(name: &'static str) -> Version {
    Version { name }
}

impl Version {
    /// The version of that name; a major version alone (`8.0`) is its default minor.
    pub(super) fn find(name: &str) -> Option<&'static Version> {
        let name = match name {
            "8.0" => DEFAULT,
            "8.4" => "8.4.mysql_aurora.8.4.8",
            name => name,
        };
        VERSIONS.iter().find(|version| version.name == name)
    }

    pub(super) fn family(&self) -> &'static str {
        if self.name.starts_with("8.4") { "aurora-mysql8.4" } else { "aurora-mysql8.0" }
    }

    /// Capacity 0, and so pausing, came with 3.08.
    pub(super) fn min_capacity(&self) -> f64 {
        if self.name.starts_with("8.0.mysql_aurora.3.04") { 0.5 } else { 0.0 }
    }

    /// The parameter group of a cluster that names none.
    pub(super) fn default_group(&self) -> String {
        format!("default.{}", self.family())
    }
}

/// The families of parameter groups.
pub(super) const FAMILIES: &[&str] = &["aurora-mysql8.0", "aurora-mysql8.4"];
