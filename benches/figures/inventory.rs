//! An instance with a hundred packages: one call for each package, and one POST to the inventory lab, in the same run.

use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_rdsdata::Client;
use aws_sdk_rdsdata::config::{BehaviorVersion, Region};
use aws_sdk_rdsdata::types::{Field, SqlParameter};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::{Figure, millis, p50};

const PACKAGES: usize = 100;
const ROUNDS: usize = 20;
/// In each round.
const POSTS: usize = 10;

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
    let mut client = crate::client::Client::connect(&text("ApiUrl")).await;
    let (mut alone, mut together, mut first, mut ours) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let times = [
            database.one_by_one(&format!("alone-{round}"), false).await,
            database.one_by_one(&format!("together-{round}"), true).await,
        ];
        // Some in a row, as the others' calls come: a program that runs only now and then finds cold caches.
        let mut posts = Vec::new();
        for post in 0..POSTS {
            let id = format!("ours-{round}-{post}");
            posts.push(client.post(&format!("/ec2/{id}"), &instance(&id)).await);
        }
        // The first round warms up.
        if round > 0 {
            alone.push(times[0]);
            together.push(times[1]);
            first.push(posts[0]);
            ours.extend(posts);
        }
    }
    cloud.run(&["down", "inventory", "--local", "--yes"]);
    let (alone, together, first, ours) = (p50(&mut alone), p50(&mut together), p50(&mut first), p50(&mut ours));
    let ratio = |slow: Duration| slow.as_secs_f64() / ours.as_secs_f64();
    let figure = |what, measured, target| Figure { what, measured, target, ..Figure::default() };
    table.push(figure("an instance with 100 packages, one Data API call for each, p50 of 20", millis(alone), ""));
    table.push(figure("the same calls in one transaction", millis(together), ""));
    let measured = format!("{} (the first after a pause {})", millis(ours), millis(first));
    table.push(figure("the same by one `POST` to the inventory lab, p50 of 200", measured, ""));
    let measured = format!("{:.0} times faster; {:.0} times than in one transaction", ratio(alone), ratio(together));
    table.push(figure("one call for each package / ours", measured, "25 times"));
}

/// The same instance as JSON.
fn instance(id: &str) -> String {
    let package = |at| json!({"package_name": format!("{id}-{at}"), "package_version": "v1"});
    let packages: Vec<Value> = (0..PACKAGES).map(package).collect();
    json!({"aws_region": "us-east-1", "aws_account": "123456789012", "packages": packages}).to_string()
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
