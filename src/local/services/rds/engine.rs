//! How the engine of a cluster is set up: its files, its arguments, its first users.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::rewrite::literal;
use crate::cloud::Cloud;
use crate::process::engines::{Engine, EngineKind};
use crate::store::replace;

/// The internal administrator, as on RDS. Nobody logs in as it through the front door.
pub(super) const ADMIN: &str = "rdsadmin";
/// May log in and nothing else: the health check does so through the front door.
pub(super) const HEALTH: &str = "rdshealth";
/// What a master user has on Aurora MySQL 3.
pub(super) const SUPERUSER_ROLE: &str = "rds_superuser_role";
/// May read and write the files of S3 objects. Given to a session for the time of one statement.
pub(super) const TRANSFER_ROLE: &str = "rds_s3_transfer";
/// Aurora MySQL's own roles.
const AWS_ROLES: &[&str] = &[
    "AWS_LOAD_S3_ACCESS",
    "AWS_SELECT_S3_ACCESS",
    "AWS_LAMBDA_ACCESS",
    "AWS_SAGEMAKER_ACCESS",
    "AWS_COMPREHEND_ACCESS",
    "AWS_BEDROCK_ACCESS",
];

/// Where a cluster's files are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) directory: PathBuf,
    pub(super) data: PathBuf,
    /// The engine's own socket.
    pub(super) socket: PathBuf,
    /// The front door's socket, for the Data API.
    pub(super) door: PathBuf,
    pub(super) log: PathBuf,
    /// The content files of S3 objects, the only directory that engines read from and write to.
    pub(super) objects: PathBuf,
    pub(super) templates: PathBuf,
}

/// The front door's private socket of a cluster: a short name in the home's socket directory.
///
/// # Errors
/// That directory cannot be made.
pub(crate) fn door_socket(cloud: &Cloud, resource_id: &str) -> io::Result<PathBuf> {
    socket(cloud, resource_id, "door")
}

fn socket(cloud: &Cloud, resource_id: &str, end: &str) -> io::Result<PathBuf> {
    let short = resource_id.trim_start_matches("cluster-").get(..12).unwrap_or(resource_id);
    Ok(cloud.home.sockets()?.join(format!("{short}.{end}")))
}

impl Layout {
    /// # Errors
    /// The directories cannot be made.
    pub(super) fn open(cloud: &Cloud, resource_id: &str) -> io::Result<Self> {
        let state = cloud.home.state("rds");
        let directory = state.join("clusters").join(resource_id);
        let objects = cloud.home.state("s3").join("objects");
        std::fs::create_dir_all(&directory)?;
        std::fs::create_dir_all(objects.join(".incoming"))?;
        Ok(Layout {
            data: directory.join("data"),
            socket: socket(cloud, resource_id, "sql")?,
            door: door_socket(cloud, resource_id)?,
            log: cloud.home.logs().join(format!("rds-{resource_id}.log")),
            objects: objects.canonicalize()?,
            templates: state.join("templates"),
            directory,
        })
    }

    fn first(&self) -> PathBuf {
        self.directory.join("first.json")
    }

    fn init_file(&self) -> PathBuf {
        self.directory.join("init.sql")
    }
}

/// What a new cluster starts with; kept, readable by the owner only, until the engine has it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct First {
    pub(super) master: String,
    pub(super) password: String,
    pub(super) database: Option<String>,
}

impl First {
    /// # Errors
    /// It cannot be written.
    pub(super) fn save(&self, layout: &Layout) -> io::Result<()> {
        replace(&layout.first(), &serde_json::to_vec(self)?)
    }

    /// `None`: the cluster has been set up.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn pending(layout: &Layout) -> io::Result<Option<Self>> {
        match std::fs::read(layout.first()) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// It cannot be removed.
    pub(super) fn done(layout: &Layout) -> io::Result<()> {
        std::fs::remove_file(layout.first())
    }
}

/// A cluster's own secret, from which the internal passwords come.
#[derive(Clone)]
pub(super) struct ClusterSecret([u8; 32]);

impl ClusterSecret {
    /// Reads it, or makes it.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub(super) fn open(layout: &Layout) -> io::Result<Self> {
        let path = layout.directory.join("secret");
        match std::fs::read(&path) {
            Ok(bytes) => {
                let bytes =
                    bytes.try_into().map_err(|_| io::Error::other("the cluster's secret is not 32 bytes long"))?;
                Ok(ClusterSecret(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut fresh = [0; 32];
                rand::rng().fill(&mut fresh);
                replace(&path, &fresh)?;
                Ok(ClusterSecret(fresh))
            }
            Err(error) => Err(error),
        }
    }

    /// The internal password of one of our own users, or of a user that IAM vouches for.
    pub(super) fn password(&self, purpose: &str, user: &[u8]) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(user);
        hex::encode(mac.finalize().into_bytes())
    }
}

/// The words that set a password, which differ between the engines.
fn identified_by(kind: EngineKind, password: &str) -> String {
    let password = String::from_utf8_lossy(&literal(password.as_bytes())).into_owned();
    match kind {
        EngineKind::MySql => format!("IDENTIFIED WITH caching_sha2_password BY {password}"),
        _ => format!("IDENTIFIED BY {password}"),
    }
}

/// Writes what the engine runs at every start: the administrator's password is always the one we know.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write_init_file(layout: &Layout, kind: EngineKind, secret: &ClusterSecret) -> io::Result<PathBuf> {
    let password = identified_by(kind, &secret.password("internal", ADMIN.as_bytes()));
    let user = format!("'{ADMIN}'@'localhost'");
    let sql = format!(
        "CREATE USER IF NOT EXISTS {user};\nALTER USER {user} {password};\nGRANT ALL PRIVILEGES ON *.* TO {user} WITH GRANT OPTION;\n"
    );
    let path = layout.init_file();
    replace(&path, sql.as_bytes())
        .map_err(|error| io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display())))?;
    Ok(path)
}

/// The statements that make a new cluster Aurora's: roles, the master user, the first database.
pub(super) fn setup(kind: EngineKind, secret: &ClusterSecret, first: &First) -> Vec<String> {
    let mut sql: Vec<String> = AWS_ROLES
        .iter()
        .chain([&SUPERUSER_ROLE, &TRANSFER_ROLE])
        .map(|role| format!("CREATE ROLE IF NOT EXISTS {role}"))
        .collect();
    sql.extend(AWS_ROLES.iter().map(|role| format!("GRANT {role} TO {SUPERUSER_ROLE} WITH ADMIN OPTION")));
    sql.push(format!("GRANT FILE ON *.* TO {TRANSFER_ROLE}"));
    let health = identified_by(kind, &secret.password("internal", HEALTH.as_bytes()));
    sql.push(format!("CREATE USER IF NOT EXISTS '{HEALTH}'@'localhost' {health}"));
    sql.push(
        "CREATE TABLE IF NOT EXISTS mysql.aurora_s3_load_history (load_prefix VARCHAR(1024), file_name VARCHAR(1024), \
         version_number VARCHAR(1024), bytes_loaded BIGINT, load_timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"
            .into(),
    );
    let master = format!("{}@'%'", String::from_utf8_lossy(&literal(first.master.as_bytes())));
    sql.push(format!("CREATE USER IF NOT EXISTS {master}"));
    sql.push(set_password(kind, &first.master, &first.password));
    // What a master user has on RDS: neither SUPER nor FILE nor SHUTDOWN.
    let own = match kind {
        EngineKind::MySql => {
            ", CREATE ROLE, DROP ROLE, ROLE_ADMIN, APPLICATION_PASSWORD_ADMIN, CONNECTION_ADMIN, SESSION_VARIABLES_ADMIN, XA_RECOVER_ADMIN"
        }
        // All that a database has, so that GRANT ALL ON database.* is the master user's to give.
        _ => ", DELETE HISTORY /*M!110301 , SHOW CREATE ROUTINE */",
    };
    sql.push(format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, \
         CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, \
         CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER{own} ON *.* TO {master} WITH GRANT OPTION"
    ));
    sql.push(format!("GRANT {SUPERUSER_ROLE} TO {master} WITH ADMIN OPTION"));
    let preposition = if kind == EngineKind::MySql { "TO" } else { "FOR" };
    sql.push(format!("SET DEFAULT ROLE {SUPERUSER_ROLE} {preposition} {master}"));
    if let Some(database) = &first.database {
        sql.push(format!("CREATE DATABASE IF NOT EXISTS `{database}`"));
    }
    if kind == EngineKind::MySql {
        // `--initialize-insecure` leaves it without a password.
        sql.push("DROP USER IF EXISTS 'root'@'localhost'".into());
    }
    sql
}

/// The statement that gives the master user a password.
pub(super) fn set_password(kind: EngineKind, master: &str, password: &str) -> String {
    let master = String::from_utf8_lossy(&literal(master.as_bytes())).into_owned();
    format!("ALTER USER {master}@'%' {}", identified_by(kind, password))
}

/// The engines refuse to run as root unless they are told to.
pub(super) fn as_root() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("--user=root")
}

pub(super) fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(format!("--{name}="));
    option.push(value);
    option
}

/// The engine's command line. `parameters` are those of the parameter group that the engine itself has.
pub(super) fn arguments(
    engine: &Engine,
    layout: &Layout,
    init_file: &Path,
    certificate: &crate::tls::CertificateFiles,
    parameters: &[(String, String)],
) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec![
        "--no-defaults".into(),
        option("datadir", &layout.data),
        option("socket", &layout.socket),
        option("pid-file", &layout.directory.join("engine.pid")),
        // MariaDB deletes every `#sql…` of its temporary directory when it starts, also those of engines that run.
        option("tmpdir", &layout.directory),
        option("secure-file-priv", &layout.objects),
        option("init-file", init_file),
        option("ssl-cert", &certificate.certificate),
        option("ssl-key", &certificate.key),
    ];
    args.extend(as_root().map(OsString::from));
    // A commit is on disk before it is acknowledged: an engine that is killed loses nothing.
    let common = [
        "--skip-networking",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--character-set-server=utf8mb4",
        "--innodb-flush-log-at-trx-commit=1",
        "--innodb-buffer-pool-size=48M",
        "--innodb-buffer-pool-dump-at-shutdown=OFF",
        "--innodb-buffer-pool-load-at-startup=OFF",
        "--max-connections=1000",
        "--max-allowed-packet=64M",
        "--key-buffer-size=1M",
        "--performance-schema=OFF",
        "--local-infile=ON",
    ];
    args.extend(common.iter().map(OsString::from));
    let own: &[&str] = match engine.kind {
        EngineKind::MySql => &[
            "--collation-server=utf8mb4_0900_ai_ci",
            "--innodb-redo-log-capacity=32M",
            "--mysqlx=OFF",
            "--auto-generate-certs=OFF",
            "--caching-sha2-password-auto-generate-rsa-keys=OFF",
        ],
        // No ONLY_FULL_GROUP_BY: MariaDB's has no functional dependencies and would refuse what MySQL takes.
        _ => &[
            "--collation-server=utf8mb4_uca1400_nopad_ai_ci",
            "--sql-mode=STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
            "--innodb-log-file-size=16M",
            "--aria-pagecache-buffer-size=2M",
            "--aria-log-file-size=8M",
            "--explicit-defaults-for-timestamp=ON",
        ],
    };
    args.extend(own.iter().map(OsString::from));
    args.extend(parameters.iter().map(|(name, value)| format!("--{}={value}", name.replace('_', "-")).into()));
    args
}
