//! A database cluster for tests of bad days, by the SDK, and connections to it by a driver that hides nothing.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_sdk_rds::types::{ApplyMethod, Parameter, ServerlessV2ScalingConfiguration};
use mysql_async::{Conn, OptsBuilder, SslOpts};
use serde_json::Value;

use super::clients::Clients;

/// A cluster with one instance, a database `lab` and the master user `admin`.
pub(crate) struct Cluster {
    pub(crate) arn: String,
    pub(crate) secret: String,
    pub(crate) port: u16,
    password: String,
    authority: PathBuf,
}

impl Cluster {
    /// Makes it and waits until it is available.
    pub(crate) async fn create(cloud: &Clients) -> Self {
        Cluster::with_parameters(cloud, &[]).await
    }

    /// The same with parameters of the engine.
    pub(crate) async fn with_parameters(cloud: &Clients, parameters: &[(&str, &str)]) -> Self {
        let rds = aws_sdk_rds::Client::new(&cloud.sdk());
        let group = rds.create_db_cluster_parameter_group().db_cluster_parameter_group_name("g").description("g");
        group.db_parameter_group_family("aurora-mysql8.0").send().await.unwrap();
        for (name, value) in parameters {
            let parameter = Parameter::builder().parameter_name(*name).parameter_value(*value);
            let parameter = parameter.apply_method(ApplyMethod::PendingReboot).build();
            let group = rds.modify_db_cluster_parameter_group().db_cluster_parameter_group_name("g");
            group.parameters(parameter).send().await.unwrap();
        }
        let scaling = ServerlessV2ScalingConfiguration::builder().min_capacity(0.5).max_capacity(1.0).build();
        let cluster = rds.create_db_cluster().db_cluster_identifier("c").engine("aurora-mysql").database_name("lab");
        let cluster = cluster
            .master_username("admin")
            .db_cluster_parameter_group_name("g")
            .manage_master_user_password(true)
            .enable_http_endpoint(true);
        cluster.serverless_v2_scaling_configuration(scaling).send().await.unwrap();
        let instance = rds.create_db_instance().db_instance_identifier("i").db_cluster_identifier("c");
        instance.engine("aurora-mysql").db_instance_class("db.serverless").send().await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let found = rds.describe_db_clusters().db_cluster_identifier("c").send().await.unwrap();
            let cluster = found.db_clusters()[0].clone();
            if cluster.status() == Some("available") {
                let secret = cluster.master_user_secret().unwrap().secret_arn().unwrap().to_owned();
                let secrets = aws_sdk_secretsmanager::Client::new(&cloud.sdk());
                let value = secrets.get_secret_value().secret_id(&secret).send().await.unwrap();
                let value: Value = serde_json::from_str(value.secret_string().unwrap()).unwrap();
                return Cluster {
                    arn: cluster.db_cluster_arn().unwrap().to_owned(),
                    secret,
                    port: u16::try_from(cluster.port().unwrap()).unwrap(),
                    password: value["password"].as_str().unwrap().to_owned(),
                    authority: cloud.home().join("keys/ca.pem"),
                };
            }
            assert!(Instant::now() < deadline, "{cluster:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The `mysql` command as the master user.
    pub(crate) fn mysql(&self, statement: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("mysql");
        command.args(["--no-defaults", "--quick", "-h", "127.0.0.1", "-u", "admin", "-P", &self.port.to_string()]);
        command.args(["--ssl-verify-server-cert", &format!("--ssl-ca={}", self.authority.display())]);
        command.args(["-e", statement]).env("MYSQL_PWD", &self.password).kill_on_drop(true);
        command
    }

    /// A connection of the master user to `lab`, over TLS that it verifies: MySQL takes a new password over no other.
    pub(crate) async fn connect(&self) -> mysql_async::Result<Conn> {
        let tls = SslOpts::default().with_root_certs(vec![self.authority.clone().into()]);
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .user(Some("admin"))
            .pass(Some(&self.password))
            .ssl_opts(tls.with_disable_built_in_roots(true))
            .prefer_socket(false)
            .db_name(Some("lab"));
        Conn::new(options).await
    }
}
