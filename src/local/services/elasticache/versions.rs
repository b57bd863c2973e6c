//! Engines, versions, node types and parameters that may be asked for.

/// Engine, version, parameter group family; the first of each engine is its default.
pub(super) const VERSIONS: &[(&str, &str, &str)] = &[
    ("valkey", "8.0", "valkey8"),
    ("valkey", "7.2", "valkey7"),
    ("valkey", "8.1", "valkey8"),
    ("redis", "7.1", "redis7"),
    ("redis", "7.0", "redis7"),
    ("redis", "6.2", "redis6.x"),
];

/// When nodes of a group that names no other time may be worked on.
pub(super) const MAINTENANCE_WINDOW: &str = "sun:05:00-sun:06:00";

pub(super) const FAMILIES: &[&str] = &["valkey8", "valkey7", "redis7", "redis6.x"];

/// The version that `asked` means: itself, a patch level of one (`7.0.7`), or AWS's short form (`7.x`).
pub(super) fn resolve(engine: &str, asked: Option<&str>) -> Option<(&'static str, &'static str)> {
    let of_engine = VERSIONS.iter().filter(|(name, ..)| *name == engine);
    let fits = |version: &str| match asked {
        None => true,
        Some(asked) => {
            asked == version
                || asked.strip_prefix(version).is_some_and(|patch| patch.starts_with('.'))
                || asked.strip_suffix(".x").is_some_and(|major| version.split('.').next() == Some(major))
        }
    };
    of_engine.clone().find(|(_, version, _)| fits(version)).map(|(_, version, family)| (*version, *family))
}

/// Memory of the node types' sizes, in MiB, as AWS sets `maxmemory`; families differ by a few percent.
const SIZES: &[(&str, u64)] = &[
    ("micro", 384),
    ("small", 1_402),
    ("medium", 3_164),
    ("large", 6_500),
    ("xlarge", 13_300),
    ("2xlarge", 26_800),
    ("4xlarge", 53_800),
    ("8xlarge", 107_000),
    ("12xlarge", 161_000),
    ("16xlarge", 214_000),
    ("24xlarge", 322_000),
];

/// `maxmemory` of a node type in MiB; `None` for one that does not exist.
pub(super) fn memory(node_type: &str) -> Option<u64> {
    let mut parts = node_type.strip_prefix("cache.")?.split('.');
    let (family, size) = (parts.next()?, parts.next()?);
    let known = ["t2", "t3", "t4g", "m4", "m5", "m6g", "m7g", "r4", "r5", "r6g", "r7g"].contains(&family);
    let (_, memory) = SIZES.iter().find(|(name, _)| *name == size)?;
    (known && parts.next().is_none()).then_some(*memory)
}

/// How the values of a parameter look.
pub(super) enum Allowed {
    Number(i64, i64),
    OneOf(&'static [&'static str]),
    /// Letters of keyspace events.
    Letters(&'static str),
}

/// One engine parameter that a parameter group may set: name, AWS's default, allowed values, what it is.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) allowed: Allowed,
    pub(super) description: &'static str,
}

const YES_NO: Allowed = Allowed::OneOf(&["yes", "no"]);
const ANY: i64 = i32::MAX as i64;

pub(super) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "activedefrag",
        default: "no",
        allowed: YES_NO,
        description: "Enabled active memory defragmentation",
    },
    Parameter {
        name: "hash-max-listpack-entries",
        default: "512",
        allowed: Allowed::Number(0, ANY),
        description: "The maximum number of hash entries in order for the dataset to be compressed",
    },
    Parameter {
        name: "hash-max-listpack-value",
        default: "64",
        allowed: Allowed::Number(0, ANY),
        description: "The threshold of biggest hash entries in order for the dataset to be compressed",
    },
    Parameter {
        name: "lazyfree-lazy-eviction",
        default: "no",
        allowed: YES_NO,
        description: "Perform an asynchronous delete on evictions",
    },
    Parameter {
        name: "lazyfree-lazy-expire",
        default: "no",
        allowed: YES_NO,
        description: "Perform an asynchronous delete on expired keys",
    },
    Parameter {
        name: "lazyfree-lazy-server-del",
        default: "no",
        allowed: YES_NO,
        description: "Perform an asynchronous delete on key updates",
    },
    Parameter { name: "lazyfree-lazy-user-del", default: "no", allowed: YES_NO, description: "DEL acts like UNLINK" },
    Parameter {
        name: "lfu-decay-time",
        default: "1",
        allowed: Allowed::Number(0, ANY),
        description: "The amount of time in minutes to decrement the key counter for LFU eviction policy",
    },
    Parameter {
        name: "lfu-log-factor",
        default: "10",
        allowed: Allowed::Number(1, ANY),
        description: "The log factor for incrementing key counter for LFU eviction policy",
    },
    Parameter {
        name: "maxmemory-policy",
        default: "volatile-lru",
        allowed: Allowed::OneOf(&[
            "volatile-lru",
            "allkeys-lru",
            "volatile-lfu",
            "allkeys-lfu",
            "volatile-random",
            "allkeys-random",
            "volatile-ttl",
            "noeviction",
        ]),
        description: "Max memory policy",
    },
    Parameter {
        name: "maxmemory-samples",
        default: "3",
        allowed: Allowed::Number(1, ANY),
        description: "Max memory samples",
    },
    Parameter {
        name: "notify-keyspace-events",
        default: "",
        allowed: Allowed::Letters("AEKg$lshzxetdmn"),
        description: "The keyspace events for the server to notify Pub/Sub clients about",
    },
    Parameter {
        name: "set-max-intset-entries",
        default: "512",
        allowed: Allowed::Number(0, ANY),
        description: "The limit in the size of the set in order for the dataset to be compressed",
    },
    Parameter {
        name: "slowlog-log-slower-than",
        default: "10000",
        allowed: Allowed::Number(-1, ANY),
        description: "The execution time, in microseconds, to exceed in order for the command to get logged",
    },
    Parameter {
        name: "slowlog-max-len",
        default: "128",
        allowed: Allowed::Number(0, ANY),
        description: "The length of the slow log",
    },
    Parameter {
        name: "stream-node-max-bytes",
        default: "4096",
        allowed: Allowed::Number(0, ANY),
        description: "The maximum size of a single node in a stream in bytes",
    },
    Parameter {
        name: "stream-node-max-entries",
        default: "100",
        allowed: Allowed::Number(0, ANY),
        description: "The maximum number of items a single node in a stream can contain",
    },
    Parameter {
        name: "tcp-keepalive",
        default: "300",
        allowed: Allowed::Number(0, ANY),
        description: "If non-zero, send ACKs every given number of seconds",
    },
    Parameter {
        name: "timeout",
        default: "0",
        allowed: Allowed::Number(0, ANY),
        description: "Close connection if client is idle for a given number of seconds, or never if 0",
    },
    Parameter {
        name: "zset-max-listpack-entries",
        default: "128",
        allowed: Allowed::Number(0, ANY),
        description: "The maximum number of sorted set entries in order for the dataset to be compressed",
    },
    Parameter {
        name: "zset-max-listpack-value",
        default: "64",
        allowed: Allowed::Number(0, ANY),
        description: "The threshold of biggest sorted set entries in order for the dataset to be compressed",
    },
];

impl Parameter {
    pub(super) fn allows(&self, value: &str) -> bool {
        match self.allowed {
            Allowed::Number(least, most) => value.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number)),
            Allowed::OneOf(values) => values.contains(&value),
            Allowed::Letters(letters) => value.chars().all(|letter| letters.contains(letter)),
        }
    }

    pub(super) fn allowed_values(&self) -> String {
        match self.allowed {
            Allowed::Number(least, most) => format!("{least}-{most}"),
            Allowed::OneOf(values) => values.join(","),
            Allowed::Letters(letters) => letters.chars().map(String::from).collect::<Vec<_>>().join(","),
        }
    }

    pub(super) const fn data_type(&self) -> &'static str {
        match self.allowed {
            Allowed::Number(..) => "integer",
            Allowed::OneOf(_) | Allowed::Letters(_) => "string",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_node_types_are_known_by_aws_forms() {
        assert_eq!(resolve("valkey", None), Some(("8.0", "valkey8")));
        assert_eq!(resolve("redis", Some("7.0.7")), Some(("7.0", "redis7")));
        assert_eq!(resolve("redis", Some("6.x")), Some(("6.2", "redis6.x")));
        assert_eq!(resolve("valkey", Some("5.0")), None);
        assert_eq!(memory("cache.t4g.micro"), Some(384));
        assert_eq!(memory("cache.t4g.nano"), None);
        assert!(PARAMETERS.iter().all(|parameter| parameter.allows(parameter.default)));
    }
}
