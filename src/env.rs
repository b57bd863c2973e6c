//! Every environment variable labctl reads or sets, in one place. `docs/reference/variables.md` is made from this file.

/// Where labctl keeps the local cloud's state, keys and logs. Default: `labctl` in the user's data directory.
pub const LABCTL_HOME: &str = "LABCTL_HOME";
/// Where functions are built and their packages kept, shared by all labs. Default: `labctl` in the user's cache directory.
pub const LABCTL_CACHE: &str = "LABCTL_CACHE";
/// Port of the local cloud on 127.0.0.1. Default 4566; 0 picks a free one.
pub const LABCTL_LOCAL_PORT: &str = "LABCTL_LOCAL_PORT";
/// MySQL or MariaDB server program to use instead of the one on PATH.
pub const LABCTL_MYSQLD: &str = "LABCTL_MYSQLD";
/// Redis or Valkey server program to use instead of the one on PATH.
pub const LABCTL_REDIS: &str = "LABCTL_REDIS";
/// Printed by `labctl local env`: the PEM file of the authority behind every certificate of the local cloud.
pub const LABCTL_LOCAL_CA: &str = "LABCTL_LOCAL_CA";
/// Set by the AWS tools and the local Lambda: sends every AWS call to this endpoint.
pub const AWS_ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// AWS region. `AWS_DEFAULT_REGION` is read after it.
pub const AWS_REGION: &str = "AWS_REGION";
/// AWS region, as the older tools name it.
pub const AWS_DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
/// A PEM file with one more certificate authority to trust; the local Lambda sets it for functions.
pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// Where X-Ray SDKs send: UDP and TCP, `127.0.0.1:PORT`. The local Lambda sets it for functions, `labctl local env` prints it.
pub const AWS_XRAY_DAEMON_ADDRESS: &str = "AWS_XRAY_DAEMON_ADDRESS";
/// No colour when set to anything (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";
/// No colour and nothing drawn on a terminal that calls itself `dumb`.
pub const TERM: &str = "TERM";
