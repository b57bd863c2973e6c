//! The inventory lab, whole: up, its contract, bad requests, traces, up again, down, nothing left.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::Answer;
use crate::support::lab::Lab;

pub(super) fn package(name: &str, version: &str) -> Value {
    json!({"package_name": name, "package_version": version})
}

pub(super) fn instance(packages: &[Value]) -> Value {
    json!({"aws_region": "us-east-1", "aws_account": "123456789012", "packages": packages})
}

pub(super) fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

pub(super) async fn post(lab: &Lab, id: &str, instance: &Value) -> Answer {
    lab.send("POST", &format!("/ec2/{id}"), Some(&instance.to_string())).await
}

pub(super) async fn get(lab: &Lab, id: &str) -> Value {
    let answer = lab.send("GET", &format!("/ec2/{id}"), None).await;
    assert_eq!(answer.status, 200, "{id}: {answer:?}");
    body(&answer)
}

/// Rows of the three tables.
fn counts(lab: &Lab) -> [i64; 3] {
    ["ec2", "package", "ec2_package"].map(|table| {
        let rows = lab.rows(&format!("SELECT COUNT(*) AS n FROM {table}"));
        rows[0]["n"].as_i64().unwrap()
    })
}

/// The guide's two examples, and what comes of asking again.
async fn the_guide_s_examples(lab: &Lab) {
    let id = "i-01aaae43feb712345";
    assert_eq!(get(lab, id).await, json!({"record": {}, "record_found": false}));
    let packages = [
        package("package-1", "v1"),
        package("package-1", "v2"),
        package("package-2", "v1"),
        package("package-3", "v1"),
    ];
    let new = json!({"new_record": {"aws_account": "123456789012", "aws_region": "us-east-1", "packages": packages}});
    let answer = post(lab, id, &instance(&packages)).await;
    assert_eq!((answer.status, body(&answer)), (200, new));
    let mut found = get(lab, id).await;
    let created = found["record"]["creation_date_utc"].take();
    let record = json!({
        "aws_instance_id": id, "aws_region": "us-east-1", "aws_account": "123456789012", "creation_date_utc": null,
        "packages": packages});
    assert_eq!(found, json!({"record": record, "record_found": true}));
    let form = regex::Regex::new(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.0$").unwrap();
    assert!(form.is_match(created.as_str().unwrap()), "{created}");
    let age = lab.rows("SELECT TIMESTAMPDIFF(SECOND, creation_date_utc, UTC_TIMESTAMP()) AS age FROM ec2");
    assert!((0..600).contains(&age[0]["age"].as_i64().unwrap()), "{age:?}");

    let before = counts(lab);
    let again = post(lab, id, &instance(&[package("other", "v1")])).await;
    let text = body(&again)["error_message"].as_str().unwrap().to_owned();
    assert!(again.status == 400 && text.contains("Duplicate entry 'i-01aaae43feb712345'"), "{text}");
    assert_eq!(counts(lab), before);
}

/// Ids and names are text: what looks like something else is kept as it is.
async fn text_is_text(lab: &Lab) {
    let names = ["'; DROP TABLE ec2; --", ":id", "a", "A", "a ", "é😀", "\0\u{1}\t\"\\%_", "0x41"];
    let packages: Vec<Value> = names.iter().map(|name| package(name, "v' OR '1'='1")).collect();
    for (path, id) in
        [("%27%20OR%20%27%27=%27", "' OR ''='"), ("a%2Fb%2525", "a/b%25"), ("i-x", "i-x"), ("I-X%20", "I-X ")]
    {
        let answer = post(lab, path, &instance(&packages)).await;
        assert_eq!((answer.status, &body(&answer)["new_record"]["packages"]), (200, &json!(packages)), "{path}");
        let record = get(lab, path).await["record"].take();
        assert_eq!(record["aws_instance_id"], id);
        let sorted = |packages: &Value| {
            let all = packages.as_array().unwrap().iter();
            all.map(|package| package["package_name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        };
        assert_eq!(sorted(&record["packages"]), names.iter().map(|name| (*name).to_owned()).collect());
    }
}

async fn many_packages(lab: &Lab) {
    for count in [0, 1, 99, 100, 500, 501, 1000] {
        let mut packages: Vec<Value> = (0..count).map(|at| package(&format!("many-{at:04}"), "v1")).collect();
        let mut asked = packages.clone();
        asked.reverse();
        asked.extend(packages.first().cloned().filter(|_| count < 1000));
        let id = format!("many-{count}");
        assert_eq!(post(lab, &id, &instance(&asked)).await.status, 200, "{count}");
        let found = get(lab, &id).await["record"]["packages"].take();
        packages.sort_by_key(ToString::to_string);
        assert_eq!(found, json!(packages), "{count}");
    }
    let shared = lab.rows("SELECT COUNT(*) AS n FROM package WHERE package_name LIKE 'many-%'");
    assert_eq!(shared[0]["n"], 1000, "known packages are shared");
}

async fn bad_requests(lab: &Lab) {
    let before = counts(lab);
    let good = package("never", "v1");
    let with = |key: &str, value: Value| {
        let mut body = instance(std::slice::from_ref(&good));
        body[key] = value;
        body.to_string()
    };
    let many: Vec<Value> = (0..10_000).map(|at| package(&at.to_string(), "v1")).collect();
    let long = format!("/ec2/{}", "x".repeat(256));
    let bad = [
        ("/ec2/bad", String::new(), "body"),
        ("/ec2/bad", "{oops".into(), "body"),
        ("/ec2/bad", "[]".into(), "body"),
        ("/ec2/bad", "{}".into(), "aws_region"),
        ("/ec2/bad", r#"{"packages": [], "packages": []}"#.into(), "packages is there more than once"),
        ("/ec2/%20", with("aws_region", json!("r")), "aws_instance_id"),
        ("/ec2/%FF", with("aws_region", json!("r")), "aws_instance_id"),
        (&long, with("aws_region", json!("r")), "aws_instance_id"),
        ("/ec2/bad", with("invalid_field_name", json!("any-value")), "invalid_field_name"),
        ("/ec2/bad", with("aws_region", json!(1)), "aws_region"),
        ("/ec2/bad", with("aws_account", json!(123_456_789_012_u64)), "aws_account"),
        ("/ec2/bad", with("aws_account", json!("1".repeat(14))), "aws_account"),
        ("/ec2/bad", with("packages", json!("all")), "packages"),
        ("/ec2/bad", with("packages", json!(many)), "packages"),
        ("/ec2/bad", with("packages", json!([good, {"package_name": "n"}])), "packages[1].package_version"),
        ("/ec2/bad", with("packages", json!([good, package("n", &"v".repeat(51))])), "packages[1].package_version"),
        ("/ec2/bad", with("packages", json!([good, package(&"é".repeat(101), "v")])), "packages[1].package_name"),
    ];
    for (path, text, named) in bad {
        let answer = lab.send("POST", path, Some(&text)).await;
        let told = body(&answer)["error_message"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == 400 && told.contains(named), "{path}: {answer:?}");
    }
    assert_eq!(lab.send("GET", "/ec2/%20", None).await.status, 400);
    // What has no route never reaches a function.
    for (method, path) in [("PUT", "/ec2/bad"), ("GET", "/ec2"), ("GET", "/"), ("POST", "/ec2/a/b")] {
        assert_eq!(lab.send(method, path, None).await.status, 403, "{method} {path}");
    }
    assert_eq!(counts(lab), before, "nothing of a refused request is stored");
}

/// Requests that are nearly right, the same in every run.
async fn generated(lab: &Lab) {
    let text = prop_oneof![20 => "[a-z0-9.'-]{1,13}", 1 => any::<String>(), 1 => "x{40,120}"];
    let value = prop_oneof![
        40 => text.clone().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    let one = (value.clone(), value.clone())
        .prop_map(|(name, version)| json!({"package_name": name, "package_version": version}));
    let whole = (value.clone(), value, prop::collection::vec(one, 0..5), prop::option::weighted(0.1, text.clone()));
    let request = (text, whole).prop_map(|(id, (region, account, packages, extra))| {
        let mut body = json!({"aws_region": region, "aws_account": account, "packages": packages});
        if let Some(extra) = extra {
            body[&extra] = json!(1);
        }
        (percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC).to_string(), body)
    });
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let (mut stored, mut refused) = (0, 0);
    for _ in 0..300 {
        let (id, body_sent) = request.new_tree(&mut runner).unwrap().current();
        let path = format!("/ec2/x{id}");
        let found = async || {
            let answer = lab.send("GET", &path, None).await;
            // A name that is too long is refused by both.
            if answer.status == 400 { json!({}) } else { body(&answer)["record"].take() }
        };
        let known = found().await != json!({});
        let answer = lab.send("POST", &path, Some(&body_sent.to_string())).await;
        let told = body(&answer);
        match answer.status {
            200 => {
                stored += 1;
                let found = found().await;
                assert!(!known, "{id}");
                for field in ["aws_region", "aws_account"] {
                    assert_eq!(found[field], body_sent[field], "{id}");
                }
                let count = |packages: &Value| packages.as_array().map(Vec::len);
                assert_eq!(count(&found["packages"]), count(&told["new_record"]["packages"]), "{id}: {body_sent}");
            }
            400 => {
                refused += 1;
                assert!(told["error_message"].is_string(), "{told}");
                assert_eq!(found().await != json!({}), known, "{id}: {body_sent}");
            }
            status => panic!("{status} {told}: {id} {body_sent}"),
        }
    }
    assert!(stored > 30 && refused > 30, "{stored} stored, {refused} refused");
}

/// Clients that name the same packages in other orders at the same time: all are served, and an id is stored once.
async fn at_the_same_time(lab: &Lab) {
    let before = counts(lab);
    let clients = (0..12_usize).map(async |client| {
        for round in 0..4_usize {
            let mut packages: Vec<Value> =
                (0..60).map(|at| package(&format!("shared-{}", (at + round * 20) % 80), "v1")).collect();
            packages.rotate_left(client * 5);
            let answer = post(lab, &format!("same-{client}-{round}"), &instance(&packages)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    });
    join_all(clients).await;
    let after = counts(lab);
    assert_eq!([after[0] - before[0], after[1] - before[1], after[2] - before[2]], [48, 80, 48 * 60]);
    let statuses =
        join_all((0..12).map(async |_| post(lab, "same", &instance(&[package("one", "v1")])).await.status)).await;
    let stored = statuses.iter().filter(|status| **status == 200).count();
    assert!(stored == 1 && statuses.iter().all(|status| [200, 400].contains(status)), "{statuses:?}");
}

/// What X-Ray knows of one POST with a hundred packages: five calls, each with its statement, none with a value.
async fn traced(lab: &Lab) {
    let packages: Vec<Value> = (0..100).map(|at| package(&format!("secret-{at}"), "v1")).collect();
    let program = format!(
        r###"
xray = boto3.client("xray")
root = "1-%08x-%024x" % (int(time.time()), 7)
answer = http("{}/ec2/traced", "POST", json.dumps({}), {{"X-Amzn-Trace-Id": "Root=%s;Sampled=1" % root}})
assert answer[0] == 200, answer
def pieces(piece): return [piece] + [below for each in piece.get("subsegments", []) for below in pieces(each)]
def calls():
    traces = xray.batch_get_traces(TraceIds=[root])["Traces"]
    all = [below for trace in traces for s in trace["Segments"] for below in pieces(json.loads(s["Document"]))]
    return sorted((piece for piece in all if piece["name"] == "rds-data" and "inferred" not in piece), key=lambda piece: piece["start_time"])
wait(lambda: [call for call in calls() if call["aws"]["operation"] == "CommitTransaction"], 30)
say(calls())
"###,
        lab.url(),
        instance(&packages)
    );
    let calls = lab.clients.boto3(&program).await;
    let of = |field: fn(&Value) -> &Value| calls.as_array().unwrap().iter().map(field).cloned().collect::<Vec<_>>();
    let batch = "BatchExecuteStatement";
    let operations = of(|call| &call["aws"]["operation"]);
    assert_eq!(operations, ["BeginTransaction", "ExecuteStatement", batch, batch, "CommitTransaction"]);
    let statements = of(|call| &call["sql"]["sanitized_query"]);
    let begin = |at: usize| statements[at].as_str().unwrap().split('(').next().unwrap().to_owned();
    assert_eq!([1, 2, 3].map(begin), ["INSERT INTO ec2 ", "INSERT IGNORE INTO package ", "INSERT INTO ec2_package "]);
    assert!(!calls.to_string().contains("secret-"), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn inventory_comes_up_keeps_its_contract_and_goes_without_a_trace() {
    let lab = Lab::up("inventory");
    assert_eq!(counts(&lab), [0, 0, 0], "the checks of `up` clean up after themselves");
    the_guide_s_examples(&lab).await;
    text_is_text(&lab).await;
    many_packages(&lab).await;
    bad_requests(&lab).await;
    generated(&lab).await;
    at_the_same_time(&lab).await;
    traced(&lab).await;

    let before = counts(&lab);
    lab.run("validate", &[]);
    assert_eq!(counts(&lab), before, "the checks of `validate` leave nothing");
    let unnamed = lab.labctl.try_run(&["invoke", "inventory", "--local"]);
    let said = String::from_utf8_lossy(&unnamed.stderr);
    assert!(
        unnamed.status.code() == Some(2) && said.contains("hint: labctl invoke inventory --local find\n"),
        "{said}"
    );
    let said = lab.run("up", &["--set", "ApiAccess=public"]);
    assert!(said.contains("nothing to do"), "{said}");
    lab.down();
    lab.down();
    let left = lab.labctl.json(&["ls", "--local"]);
    assert!(left["instances"].as_array().is_some_and(Vec::is_empty), "{left}");
}
