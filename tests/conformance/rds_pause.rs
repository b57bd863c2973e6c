//! A cluster that pauses, and a service that throttles, by the clients that have to live with it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::rds_data::program;
use crate::support::LocalCloud;
use crate::support::database::Database;
use crate::support::processes::{DATABASES, children};

/// What the programs share: `paused()` waits for the pause, `told()` is what `describe_events` says of pauses.
const SHARED: &str = r#"
rds = boto3.client('rds')
def told(): return [e['Message'] for e in rds.describe_events(SourceType='db-instance', EventCategories=['serverless'])['Events']]
def paused(): return told()[-1:] == ['Successfully paused the DB instance.']
def fault(**fault): return json.loads(http(os.environ['AWS_ENDPOINT_URL'] + '/_labctl/faults', 'POST', json.dumps(fault))[1])['id']
def clear(): http(os.environ['AWS_ENDPOINT_URL'] + '/_labctl/faults', 'DELETE')
def error(call, **input):
    try: call(**input)
    except Exception as error: return [error.response['Error']['Code'], error.response['Error']['Message'], error.response['ResponseMetadata']['HTTPStatusCode']]
"#;

async fn with_a_cluster() -> (LocalCloud, Database) {
    let cloud = LocalCloud::start_with_engines().await;
    let database = Database::create(&cloud, "{'EnableHttpEndpoint': True}").await;
    (cloud, database)
}

/// How many engines run for this cloud.
fn engines(cloud: &LocalCloud) -> usize {
    children(cloud.home(), DATABASES).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_api_wakes_a_paused_cluster_and_says_so_until_it_is_back() {
    let (cloud, database) = with_a_cluster().await;
    let pause = format!(
        "{SHARED}{}",
        r#"
run("CREATE TABLE t (n INT)"); run("INSERT INTO t VALUES (7)")
fault(fault='pause-after', seconds=0.5)
wait(paused, 60)
clear()
cluster = rds.describe_db_clusters()['DBClusters'][0]
say([cluster['Status'], rds.describe_db_instances()['DBInstances'][0]['DBInstanceStatus'], cluster['ServerlessV2ScalingConfiguration'], told()])
"#
    );
    let seen = program(&cloud, &pause).await;
    let scaling = json!({"MinCapacity": 0.0, "MaxCapacity": 2.0, "SecondsUntilAutoPause": 300});
    assert_eq!((&seen[0], &seen[1], &seen[2]), (&json!("available"), &json!("available"), &scaling));
    assert_eq!(seen[3], json!(["Initiated pause for the DB instance.", "Successfully paused the DB instance."]));
    assert_eq!(engines(&cloud), 0, "the engine has really ended");
    let resume = format!(
        "{SHARED}{}",
        r#"
fault(fault='resume-delay', seconds=1)
begun = time.time()
first = error(run, sql="SELECT n FROM t")
again = error(data.begin_transaction, **to)
found = wait(lambda: error(run, sql="SELECT 1") is None and run("SELECT n FROM t")['records'], 60)
clear()
say([first, again[0], found, time.time() - begun > 1, rds.describe_db_instances()['DBInstances'][0]['DbiResourceId'], told()[2:]])
"#
    );
    let seen = program(&cloud, &resume).await;
    let instance = seen[4].as_str().unwrap();
    let message = format!(
        "The Aurora DB instance {instance} is resuming after being auto-paused. Please wait a few seconds and try again."
    );
    assert_eq!(seen[0], json!(["DatabaseResumingException", message, 400]));
    assert_eq!((&seen[1], &seen[3]), (&json!("DatabaseResumingException"), &json!(true)));
    assert_eq!(seen[2], json!([[{"longValue": 7}]]));
    assert_eq!(seen[5], json!(["Initiated resume for the DB instance.", "Successfully resumed the DB instance."]));
    // And a client of its port waits while it resumes.
    program(&cloud, &format!("{SHARED}\nfault(fault='pause-after', seconds=0.5)\nwait(paused, 60)\nclear()\nsay(1)"))
        .await;
    assert_eq!((database.says("SELECT n FROM t").await.trim(), engines(&cloud)), ("7", 1));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_paused_at_the_end_is_paused_at_the_next_start() {
    let (cloud, _) = with_a_cluster().await;
    program(
        &cloud,
        &format!(
            "{SHARED}\nrun('CREATE TABLE t (n INT)')\nfault(fault='pause-after', seconds=0.5)\nwait(paused, 60)\nsay(1)"
        ),
    )
    .await;
    let cloud = cloud.restart().await;
    assert_eq!(engines(&cloud), 0);
    let client = aws_sdk_rdsdata::Client::new(&cloud.sdk());
    let who = program(&cloud, "say([who['resourceArn'], who['secretArn']])").await;
    let (arn, secret) = (who[0].as_str().unwrap(), who[1].as_str().unwrap());
    let call =
        client.execute_statement().resource_arn(arn).secret_arn(secret).database("lab").sql("SELECT COUNT(*) FROM t");
    let refused = call.clone().send().await.unwrap_err();
    assert!(refused.as_service_error().unwrap().is_database_resuming_exception(), "{refused:?}");
    let deadline = Instant::now() + Duration::from_secs(60);
    let answer = loop {
        match call.clone().send().await {
            Ok(answer) => break answer,
            Err(error) => assert!(error.as_service_error().unwrap().is_database_resuming_exception(), "{error:?}"),
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(answer.records()[0][0].as_long_value(), Ok(&0));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_service_answers_in_its_own_words_and_clients_try_again() {
    let (cloud, _) = with_a_cluster().await;
    let seen = program(
        &cloud,
        &format!(
            "{SHARED}{}",
            r#"
from botocore.config import Config
once = dict(config=Config(retries={'total_max_attempts': 1}))
fault(fault='throttle', service='rds-data', operation='ExecuteStatement', rate=1.0)
said = [error(boto3.client('rds-data', **once).execute_statement, sql='SELECT 1', **to), boto3.client('rds-data', **once).begin_transaction(**to)['transactionId'] != '']
clear()
for service in ('rds', 'lambda', 's3'): fault(fault='throttle', service=service, times=1)
said += [error(boto3.client('rds', **once).describe_db_clusters), error(boto3.client('lambda', **once).list_functions), error(boto3.client('s3', **once).list_buckets)]
clear()
fault(fault='throttle', service='rds-data', rate=0.5)
good = sum(run("SELECT 1")['records'] == [[{'longValue': 1}]] for _ in range(4))
listed = json.loads(http(os.environ['AWS_ENDPOINT_URL'] + '/_labctl/faults')[1])['faults']
wrong = http(os.environ['AWS_ENDPOINT_URL'] + '/_labctl/faults', 'POST', '{"fault": "throttle", "service": "rds-data", "rat": 1}')
clear()
say([said, good, listed[0]['struck'] >= 4, wrong[0], json.loads(wrong[1])['message']])
"#
        ),
    )
    .await;
    let said = json!([
        ["ThrottlingException", "Rate exceeded", 400],
        true,
        ["Throttling", "Rate exceeded", 400],
        ["TooManyRequestsException", "Rate Exceeded.", 429],
        ["SlowDown", "Please reduce your request rate.", 503]
    ]);
    assert_eq!(seen[0], said);
    assert_eq!((&seen[1], &seen[2], &seen[3]), (&json!(4), &json!(true), &json!(400)));
    assert!(seen[4].as_str().unwrap().contains("unknown field `rat`"), "{}", seen[4]);
    cloud.stop().await;
}
