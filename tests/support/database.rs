//! A database cluster of a test, and the `mysql` command as people use it.

use serde_json::Value;

use super::LocalCloud;
use super::clients::said;

/// What makes the cluster `lab` with its one instance and gives its description and master password.
const CREATE: &str = "
rds = boto3.client('rds')
rds.create_db_cluster(DBClusterIdentifier='lab', Engine='aurora-mysql', MasterUsername='admin', ManageMasterUserPassword=True,
    DatabaseName='lab', ServerlessV2ScalingConfiguration={'MinCapacity': 0, 'MaxCapacity': 2}, **more)
rds.create_db_instance(DBInstanceIdentifier='lab-1', DBClusterIdentifier='lab', Engine='aurora-mysql', DBInstanceClass='db.serverless')
until(rds.get_waiter('db_instance_available'), DBInstanceIdentifier='lab-1')
cluster = rds.describe_db_clusters(DBClusterIdentifier='lab')['DBClusters'][0]
secret = boto3.client('secretsmanager').get_secret_value(SecretId=cluster['MasterUserSecret']['SecretArn'])
say([cluster, json.loads(secret['SecretString'])['password']])
";

/// A cluster, seen from outside.
pub(crate) struct Database {
    /// The master user's.
    pub(crate) password: String,
    pub(crate) cluster: Value,
    port: String,
    authority: String,
}

impl Database {
    /// Makes one with boto3, with a password that RDS manages, and waits until it is available; `more` is a Python
    /// dictionary of further arguments of `create_db_cluster`.
    pub(crate) async fn create(cloud: &LocalCloud, more: &str) -> Self {
        let made = cloud.boto3(&format!("more = {more}\n{CREATE}")).await;
        let port = made[0]["Port"].to_string();
        let known = Database::at(cloud, &port, made[1].as_str().unwrap());
        Database { cluster: made[0].clone(), ..known }
    }

    /// The one that listens on `port`.
    pub(crate) fn at(cloud: &LocalCloud, port: &str, password: &str) -> Self {
        let authority = cloud.cloud().authority.certificate_file().display().to_string();
        Database { password: password.to_owned(), cluster: Value::Null, port: port.to_owned(), authority }
    }

    pub(crate) fn port(&self) -> &str {
        &self.port
    }

    /// The `mysql` command, which verifies the server's certificate.
    pub(crate) fn command(&self, user: &str, password: &str, more: &[&str]) -> tokio::process::Command {
        let mut command = self.plain(user, password);
        command.args(["--ssl-verify-server-cert", &format!("--ssl-ca={}", self.authority)]).args(more);
        command
    }

    fn plain(&self, user: &str, password: &str) -> tokio::process::Command {
        let mut command = self.client("mysql", user, password);
        command.args(["--batch", "-N", "--max-allowed-packet=1G"]);
        command
    }

    fn client(&self, program: &str, user: &str, password: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(program);
        command.args(["--no-defaults", "-h", "127.0.0.1", "-P", &self.port, "-u", user]);
        command.env("MYSQL_PWD", password).env("LIBMYSQL_ENABLE_CLEARTEXT_PLUGIN", "1");
        command.kill_on_drop(true).stdin(std::process::Stdio::null());
        command
    }

    /// What another program of MySQL's writes, as the master user; its failure fails the test.
    pub(crate) async fn program(&self, program: &str, args: &[&str]) -> String {
        let mut command = self.client(program, "admin", &self.password);
        let output = command.arg(format!("--ssl-ca={}", self.authority)).args(args).output().await.unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `mysql` says to a statement over a connection that anybody could read.
    pub(crate) async fn without_tls(&self, user: &str, password: &str, sql: &str) -> String {
        said(&self.plain(user, password).args(["--skip-ssl", "-e", sql]).output().await.unwrap())
    }

    /// Runs `mysql` and gives all that it says.
    pub(crate) async fn mysql(&self, user: &str, password: &str, more: &[&str]) -> String {
        said(&self.command(user, password, more).output().await.expect("mysql is installed: run tests/install"))
    }

    /// What `mysql` says to a statement of the master user.
    pub(crate) async fn says(&self, sql: &str) -> String {
        self.mysql("admin", &self.password, &["lab", "-e", sql]).await
    }
}
