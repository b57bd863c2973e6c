//! An instance with a hundred packages: one call for each package, and one POST to the inventory lab, in the same run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_rdsdata::Client;
use aws_sdk_rdsdata::config::{BehaviorVersion, Region};
use aws_sdk_rdsdata::types::{Field, SqlParameter};
use http::{HeaderMap, Method};
use labctl::engine::load::{Body, Judge, Mix, Request, Shape, Watch, drive};
use labctl::lab::model::Sample;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::{Figure, millis, p50};

const PACKAGES: usize = 100;
const ROUNDS: usize = 20;

pub(crate) async fn measure(cloud: &Cloud, table: &mut Vec<Figure>) {
    cloud.run(&["up", "inventory", "--local", "--yes", "--set", "ApiAccess=public"]);
    let outputs = &cloud.json(&["outputs", "inventory", "--local", "--output", "json"])["outputs"];
    let text = |name: &str| outputs[name].as_str().unwrap().to_owned();
    let database = Database {
        client: client(&cloud.endpoint()),
        cluster: text("ClusterArn"),
        secret: text("MasterSecretArn"),
        name: text("ClusterDatabase"),
    };
    let url = text("ApiUrl");
    let (mut alone, mut together, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let times = [
            database.one_by_one(&format!("alone-{round}"), false).await,
            database.one_by_one(&format!("together-{round}"), true).await,
            post(&url, &format!("ours-{round}")).await,
        ];
        // The first round warms up.
        if round > 0 {
            alone.push(times[0]);
            together.push(times[1]);
            ours.push(times[2]);
        }
    }
    cloud.run(&["down", "inventory", "--local", "--yes"]);
    let (alone, together, ours) = (p50(&mut alone), p50(&mut together), p50(&mut ours));
    let ratio = |slow: Duration| slow.as_secs_f64() / ours.as_secs_f64();
    let figure = |what, measured, target| Figure { what, measured, target, ..Figure::default() };
    table.push(figure("an instance with 100 packages, one Data API call for each, p50 of 20", millis(alone), ""));
    table.push(figure("the same calls in one transaction", millis(together), ""));
    table.push(figure("the same by one `POST` to the inventory lab", millis(ours), ""));
    let measured = format!("{:.0} times faster; {:.0} times than in one transaction", ratio(alone), ratio(together));
    table.push(figure("one call for each package / ours", measured, "25 times"));
}

/// The same instance as JSON.
fn instance(id: &str) -> Value {
    let package = |at| json!({"package_name": format!("{id}-{at}"), "package_version": "v1"});
    let packages: Vec<Value> = (0..PACKAGES).map(package).collect();
    json!({"aws_region": "us-east-1", "aws_account": "123456789012", "packages": packages})
}

async fn post(url: &str, id: &str) -> Duration {
    let judge: Judge = Arc::new(|status, body| match status {
        200 => Ok(()),
        _ => Err(format!("{status} {}", String::from_utf8_lossy(body))),
    });
    let (uri, headers) = (format!("{url}/ec2/{id}").parse().unwrap(), HeaderMap::new());
    let (method, body) = (Method::POST, Some(Body::of(&Sample::Constant(instance(id)))));
    let mix =
        Mix::new(vec![Request { weight: 1, method, uri, path: None, headers, body, judge, signer: None }]).unwrap();
    let shape = Shape::requests(1, 1, Duration::from_secs(30));
    let report = drive(mix, &shape, Watch::nobody()).await.unwrap().report();
    assert!(report.errors.is_empty(), "{report:?}");
    Duration::from_secs_f64(report.latency_ms.p50 / 1000.0)
}

struct Database {
    client: Client,
    cluster: String,
    secret: String,
    name: String,
}

impl Database {
    /// The guide's first form: a call for the instance, and two for each package. `together`: in a transaction, which the
    /// guide's has not.
    async fn one_by_one(&self, id: &str, together: bool) -> Duration {
        let begun = Instant::now();
        let Database { client, cluster, secret, name } = self;
        let transaction = match together {
            true => {
                let request = client.begin_transaction().resource_arn(cluster).secret_arn(secret).database(name);
                request.send().await.unwrap().transaction_id
            }
            false => None,
        };
        let run = async |sql: &str, values: &[(&str, &str)]| {
            let parameter = |(name, value): &(&str, &str)| {
                SqlParameter::builder().name(*name).value(Field::StringValue((*value).to_owned())).build()
            };
            let request = client.execute_statement().resource_arn(cluster).secret_arn(secret).database(name).sql(sql);
            let request = request.set_parameters(Some(values.iter().map(parameter).collect()));
            request.set_transaction_id(transaction.clone()).send().await.unwrap();
        };
        let instance = "INSERT INTO ec2 (aws_instance_id, aws_region, aws_account, creation_date_utc, stored_by) \
                        VALUES (:id, 'us-east-1', '123456789012', UTC_TIMESTAMP(), 'bench')";
        run(instance, &[("id", id)]).await;
        let packages: Vec<String> = (0..PACKAGES).map(|at| format!("{id}-{at}")).collect();
        for package in &packages {
            let sql = "INSERT IGNORE INTO package (package_name, package_version) VALUES (:name, 'v1')";
            run(sql, &[("name", package)]).await;
        }
        for package in &packages {
            let sql =
                "INSERT INTO ec2_package (aws_instance_id, package_name, package_version) VALUES (:id, :name, 'v1')";
            run(sql, &[("id", id), ("name", package)]).await;
        }
        if let Some(transaction) = &transaction {
            let request = client.commit_transaction().resource_arn(cluster).secret_arn(secret);
            request.transaction_id(transaction).send().await.unwrap();
        }
        begun.elapsed()
    }
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_rdsdata::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}
