//! ExecuteStatement of the Data API by the SDK: a read by key with a parameter, by one client and by sixteen.

use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_rdsdata::operation::execute_statement::builders::ExecuteStatementFluentBuilder;
use aws_sdk_rdsdata::types::{Field, SqlParameter};

use crate::cloud::Cloud;
use crate::processes::Cost;
use crate::{Figure, millis, p50};

const ROWS: i64 = 1000;
const ALONE: usize = 4000;
const CLIENTS: usize = 16;
const TOGETHER: usize = 20_000;

pub(crate) async fn measure(cloud: &Cloud, table: &mut Vec<Figure>) {
    let statement = database(&cloud.endpoint()).await;
    let (alone, cost) = counted(cloud.pid(), ALONE, async || reads(statement.clone(), ALONE).await).await;
    let mut alone = alone;
    let figure = |what, measured, target, cost| Figure { what, measured, target, cost, ..Figure::default() };
    let what = "Data API ExecuteStatement, a read by key, p50 at 1 client";
    table.push(figure(what, millis(p50(&mut alone)), "2 ms", cost));
    let begun = Instant::now();
    let (mut all, cost) = counted(cloud.pid(), TOGETHER, async || together(&statement).await).await;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let rate = TOGETHER as f64 / begun.elapsed().as_secs_f64();
    let measured = format!("{rate:.0} (p50 {})", millis(p50(&mut all)));
    table.push(figure("the same, per second at 16 clients", measured, "2,000", cost));
}

/// What `work` gives, and what each of its requests cost the local cloud and all below it.
async fn counted<R>(pid: u32, requests: usize, work: impl AsyncFnOnce() -> R) -> (R, String) {
    let before = Cost::of(pid);
    let done = work().await;
    (done, Cost::of(pid).per_request(&before, requests as u64))
}

async fn together(statement: &ExecuteStatementFluentBuilder) -> Vec<Duration> {
    let clients = (0..CLIENTS).map(|_| tokio::spawn(reads(statement.clone(), TOGETHER / CLIENTS)));
    let mut all = Vec::with_capacity(TOGETHER);
    for client in clients.collect::<Vec<_>>() {
        all.extend(client.await.unwrap());
    }
    all
}

/// How long each of so many reads takes, one after the other.
async fn reads(statement: ExecuteStatementFluentBuilder, count: usize) -> Vec<Duration> {
    let mut took = Vec::with_capacity(count);
    for at in 0..count {
        let id = i64::try_from(at).unwrap() % ROWS + 1;
        let parameter = SqlParameter::builder().name("id").value(Field::LongValue(id)).build();
        let begun = Instant::now();
        let answer = statement.clone().parameters(parameter).send().await.unwrap();
        took.push(begun.elapsed());
        assert_eq!(answer.records()[0][0].as_long_value(), Ok(&id));
    }
    took
}

/// A cluster with a table; the statement that reads from it, warm.
async fn database(endpoint: &str) -> ExecuteStatementFluentBuilder {
    let credentials = || Credentials::new("test", "test", None, None, "bench");
    let http = || aws_smithy_http_client::Builder::new().build_http();
    macro_rules! client {
        ($service:ident) => {
            $service::Client::from_conf(
                $service::Config::builder()
                    .behavior_version_latest()
                    .region($service::config::Region::new("us-east-1"))
                    .credentials_provider(credentials())
                    .endpoint_url(endpoint)
                    .http_client(http())
                    .build(),
            )
        };
    }
    let (rds, data) = (client!(aws_sdk_rds), client!(aws_sdk_rdsdata));
    let scaling =
        aws_sdk_rds::types::ServerlessV2ScalingConfiguration::builder().min_capacity(0.5).max_capacity(1.0).build();
    let cluster = rds.create_db_cluster().db_cluster_identifier("figures").engine("aurora-mysql");
    let cluster = cluster.master_username("admin").manage_master_user_password(true).database_name("lab");
    let cluster = cluster.enable_http_endpoint(true).serverless_v2_scaling_configuration(scaling);
    cluster.send().await.unwrap();
    let instance = rds.create_db_instance().db_instance_identifier("figures-1").db_cluster_identifier("figures");
    instance.engine("aurora-mysql").db_instance_class("db.serverless").send().await.unwrap();
    let cluster = loop {
        let found = rds.describe_db_clusters().db_cluster_identifier("figures").send().await.unwrap();
        let cluster = found.db_clusters()[0].clone();
        if cluster.status() == Some("available") {
            break cluster;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let secret = cluster.master_user_secret().unwrap().secret_arn().unwrap();
    let statement = data.execute_statement().resource_arn(cluster.db_cluster_arn().unwrap()).secret_arn(secret);
    let statement = statement.database("lab");
    let fill = format!(
        "INSERT INTO t (name) WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < {ROWS}) SELECT CONCAT('name ', n) FROM r"
    );
    for sql in ["CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40))", &fill] {
        statement.clone().sql(sql).send().await.unwrap();
    }
    let statement = statement.sql("SELECT id, name FROM t WHERE id = :id");
    reads(statement.clone(), 200).await;
    statement
}
