//! The parameters of a DB cluster parameter group that have an effect here, and what it is.

use super::state::ParameterGroup;
use crate::process::engines::EngineKind;

/// What takes a parameter up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The engine's own variable of that name.
    Engine,
    /// The front door.
    Door,
    /// MySQL has the variable, on MariaDB the front door does its work.
    EngineOrDoor,
}

/// One parameter.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) default: Option<&'static str>,
    pub(super) data_type: &'static str,
    /// In RDS's form: `0-1000` or `ON,OFF`; empty is anything.
    pub(super) allowed: &'static str,
    /// Changes without a reboot.
    pub(super) dynamic: bool,
    pub(super) effect: Effect,
    pub(super) description: &'static str,
}

const fn parameter(
    name: &'static str,
    default: Option<&'static str>,
    (data_type, allowed): (&'static str, &'static str),
    dynamic: bool,
    effect: Effect,
    description: &'static str,
) -> Parameter {
    Parameter { name, default, data_type, allowed, dynamic, effect, description }
}

use Effect::{Door, Engine, EngineOrDoor};

const TEXT: (&str, &str) = ("string", "");
const ON_OFF: (&str, &str) = ("string", "ON,OFF");
const BOOLEAN: (&str, &str) = ("boolean", "0,1");

/// In order of their names, as RDS lists them.
pub(super) const PARAMETERS: &[Parameter] = &[
    parameter(
        "activate_all_roles_on_login",
        Some("0"),
        BOOLEAN,
        true,
        EngineOrDoor,
        "Activates all granted roles when a user logs in",
    ),
    parameter("aurora_load_from_s3_role", None, TEXT, true, Door, "IAM role that LOAD DATA FROM S3 acts in"),
    parameter("aurora_select_into_s3_role", None, TEXT, true, Door, "IAM role that SELECT INTO OUTFILE S3 acts in"),
    parameter("aws_default_s3_role", None, TEXT, true, Door, "IAM role that statements with S3 act in"),
    parameter("character_set_server", Some("utf8mb4"), TEXT, true, Engine, "Default character set of the server"),
    parameter("collation_server", None, TEXT, true, Engine, "Default collation of the server"),
    parameter("event_scheduler", Some("ON"), ON_OFF, true, Engine, "Runs scheduled events"),
    parameter("general_log", Some("0"), BOOLEAN, true, Engine, "Logs every statement"),
    parameter(
        "group_concat_max_len",
        Some("1024"),
        ("integer", "4-18446744073709547520"),
        true,
        Engine,
        "Longest result of GROUP_CONCAT",
    ),
    parameter(
        "innodb_lock_wait_timeout",
        Some("50"),
        ("integer", "1-1073741824"),
        true,
        Engine,
        "Seconds that a transaction waits for a row lock",
    ),
    parameter("innodb_print_all_deadlocks", Some("0"), BOOLEAN, true, Engine, "Logs all deadlocks"),
    parameter(
        "interactive_timeout",
        Some("28800"),
        ("integer", "1-31536000"),
        true,
        Engine,
        "Seconds that an idle interactive connection is kept",
    ),
    parameter("local_infile", Some("1"), BOOLEAN, true, Engine, "Allows LOAD DATA LOCAL INFILE"),
    parameter(
        "lock_wait_timeout",
        Some("31536000"),
        ("integer", "1-31536000"),
        true,
        Engine,
        "Seconds that a statement waits for a metadata lock",
    ),
    parameter(
        "log_bin_trust_function_creators",
        Some("0"),
        BOOLEAN,
        true,
        Engine,
        "Lets users without SUPER create functions",
    ),
    parameter(
        "long_query_time",
        Some("10"),
        ("float", "0-31536000"),
        true,
        Engine,
        "Seconds from which a statement is slow",
    ),
    parameter(
        "lower_case_table_names",
        Some("0"),
        ("integer", "0-1"),
        false,
        Engine,
        "Whether table names are kept in lower case",
    ),
    parameter(
        "max_allowed_packet",
        Some("67108864"),
        ("integer", "1024-1073741824"),
        true,
        Engine,
        "Longest statement",
    ),
    parameter("max_connections", Some("1000"), ("integer", "10-16000"), true, Engine, "Most connections at once"),
    parameter(
        "max_heap_table_size",
        Some("16777216"),
        ("integer", "16384-1844674407370954752"),
        true,
        Engine,
        "Largest table in memory",
    ),
    parameter(
        "net_read_timeout",
        Some("30"),
        ("integer", "1-31536000"),
        true,
        Engine,
        "Seconds to wait for more of a statement",
    ),
    parameter(
        "net_write_timeout",
        Some("60"),
        ("integer", "1-31536000"),
        true,
        Engine,
        "Seconds to wait for a client that takes rows",
    ),
    parameter("require_secure_transport", Some("OFF"), ON_OFF, true, Door, "Refuses connections without TLS"),
    parameter("slow_query_log", Some("0"), BOOLEAN, true, Engine, "Logs slow statements"),
    parameter("sql_mode", None, TEXT, true, Engine, "The server's SQL mode"),
    parameter("time_zone", Some("UTC"), TEXT, true, Engine, "The server's time zone"),
    parameter(
        "tmp_table_size",
        Some("16777216"),
        ("integer", "1024-18446744073709551615"),
        true,
        Engine,
        "Largest temporary table in memory",
    ),
    parameter(
        "transaction_isolation",
        Some("REPEATABLE-READ"),
        ("string", "READ-UNCOMMITTED,READ-COMMITTED,REPEATABLE-READ,SERIALIZABLE"),
        true,
        Engine,
        "The default isolation level",
    ),
    parameter(
        "wait_timeout",
        Some("28800"),
        ("integer", "1-31536000"),
        true,
        Engine,
        "Seconds that an idle connection is kept",
    ),
];

impl Parameter {
    pub(super) fn find(name: &str) -> Option<&'static Parameter> {
        PARAMETERS.iter().find(|parameter| parameter.name == name)
    }

    /// The default in a family of parameter groups.
    pub(super) fn default_in(&self, family: &str) -> Option<&'static str> {
        match self.name {
            "require_secure_transport" if family == "aurora-mysql8.4" => Some("ON"),
            _ => self.default,
        }
    }

    pub(super) fn allows(&self, value: &str) -> bool {
        if self.allowed.is_empty() {
            return !value.is_empty() && !value.contains(['\0', '\n']);
        }
        match (self.data_type, self.allowed.split_once('-')) {
            ("integer", Some((low, high))) => {
                let number = value.parse::<u128>();
                number.is_ok_and(|number| {
                    low.parse().is_ok_and(|low| number >= low) && high.parse().is_ok_and(|high| number <= high)
                })
            }
            ("float", Some((low, high))) => {
                let number = value.parse::<f64>();
                number.is_ok_and(|number| {
                    low.parse().is_ok_and(|low| number >= low) && high.parse().is_ok_and(|high| number <= high)
                })
            }
            _ => self.allowed.split(',').any(|allowed| allowed.eq_ignore_ascii_case(value)),
        }
    }
}

/// The value of a parameter in a group, or its default.
pub(super) fn value<'a>(group: Option<&'a ParameterGroup>, family: &str, name: &str) -> Option<&'a str> {
    let own = group.and_then(|group| group.values.get(name)).map(String::as_str);
    own.or_else(|| Parameter::find(name).and_then(|parameter| parameter.default_in(family)))
}

/// Whether a switch is on: RDS takes `1`, `ON` and `true`.
pub(super) fn is_on(value: Option<&str>) -> bool {
    value.is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("on") || value.eq_ignore_ascii_case("true"))
}

/// What a group sets on the engine's command line; names and values as the engine has them.
pub(super) fn for_engine(group: Option<&ParameterGroup>, kind: EngineKind) -> Vec<(String, String)> {
    let values = group.iter().flat_map(|group| &group.values);
    values
        .filter_map(|(name, value)| {
            let parameter = Parameter::find(name)?;
            let taken = match parameter.effect {
                Engine => true,
                EngineOrDoor => kind == EngineKind::MySql,
                Door => false,
            };
            taken.then(|| engine_words(name, value, kind))
        })
        .collect()
}

fn engine_words(name: &str, value: &str, kind: EngineKind) -> (String, String) {
    // The server has no zone names without its time zone tables; RDS's default is the one that all know.
    let value = match (name, value) {
        ("time_zone", "UTC" | "Etc/UTC") => "+00:00",
        ("collation_server", "utf8mb4_0900_ai_ci") if kind == EngineKind::MariaDb => "utf8mb4_uca1400_nopad_ai_ci",
        (_, value) => value,
    };
    // As an option it has another name than as a variable of old MariaDB.
    let name = if name == "time_zone" { "default_time_zone" } else { name };
    (name.to_owned(), value.to_owned())
}

/// The statement that sets a dynamic parameter on a running engine.
pub(super) fn set_global(name: &str, value: &str, kind: EngineKind) -> String {
    let (_, value) = engine_words(name, value, kind);
    let name = match (name, kind) {
        ("transaction_isolation", EngineKind::MariaDb) => "tx_isolation",
        (name, _) => name,
    };
    let is_number =
        value.parse::<f64>().is_ok() || value.eq_ignore_ascii_case("on") || value.eq_ignore_ascii_case("off");
    let value = if is_number {
        value
    } else {
        String::from_utf8_lossy(&super::rewrite::literal(value.as_bytes())).into_owned()
    };
    format!("SET GLOBAL {name} = {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_listed_once_in_order_and_allow_their_own_defaults() {
        assert!(PARAMETERS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for parameter in PARAMETERS {
            assert!(parameter.default.is_none_or(|default| parameter.allows(default)), "{}", parameter.name);
        }
    }

    #[test]
    fn a_value_outside_its_range_or_list_is_not_allowed() {
        let allows = |name, value| Parameter::find(name).is_some_and(|parameter| parameter.allows(value));
        assert!(allows("wait_timeout", "60") && allows("require_secure_transport", "on"));
        for (name, value) in [
            ("wait_timeout", "0"),
            ("wait_timeout", "long"),
            ("wait_timeout", "-1"),
            ("require_secure_transport", "maybe"),
            ("sql_mode", ""),
        ] {
            assert!(!allows(name, value), "{name} {value}");
        }
    }
}
