//! The superheroes lab on bad days, through its own API: bad requests, no cache, a cache that hangs, engines and the cloud killed.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::labctl::{Heroes, hero};
use crate::support::processes::{CACHES, DATABASES, children, kill, send};

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The port of the lab's cache.
async fn cache_port(heroes: &Heroes) -> u16 {
    let caches = aws_sdk_elasticache::Client::new(&heroes.clients.sdk());
    let groups = caches.describe_replication_groups().send().await.unwrap();
    let endpoint = groups.replication_groups()[0].node_groups()[0].primary_endpoint().unwrap().clone();
    u16::try_from(endpoint.port().unwrap()).unwrap()
}

/// Ends the cache and takes its port, so that it cannot come back before the listener is dropped.
async fn keep_away(heroes: &Heroes, port: u16) -> TcpListener {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        send(Signal::KILL, &children(heroes.clients.home(), CACHES));
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return listener,
            Err(_) => assert!(Instant::now() < deadline, "the cache's port is never free"),
        }
    }
}

/// What the cache itself says to `EXISTS`.
fn is_cached(heroes: &Heroes, port: u16, id: i64) -> bool {
    let mut cli = std::process::Command::new("redis-cli");
    cli.args(["-p", &port.to_string(), "--tls", "--cacert"]).arg(heroes.clients.home().join("keys/ca.pem"));
    let output = cli.args(["EXISTS", &format!("hero:{id}")]).output().expect("redis-cli: run tests/install");
    String::from_utf8_lossy(&output.stdout).trim() == "1"
}

async fn function_says(heroes: &Heroes, part: &str) -> bool {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&heroes.clients.sdk());
    let groups = logs.describe_log_groups().log_group_name_prefix("/aws/lambda/").send().await.unwrap();
    for group in groups.log_groups() {
        let events = logs.filter_log_events().log_group_name(group.log_group_name().unwrap()).send().await.unwrap();
        if events.events().iter().any(|event| event.message().is_some_and(|line| line.contains(part))) {
            return true;
        }
    }
    false
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// Every row of the contract, cache on and off.
async fn contract(heroes: &Heroes) {
    let before = heroes.sql("SELECT COUNT(*) AS n FROM heroes")[0]["n"].as_i64().unwrap();
    for cache in [json!("True"), json!("False"), json!(true), json!(false)] {
        let read = heroes.post(&json!({"USE_CACHE": cache, "REQUEST": "read", "SQLS": [3, 1, 2, 3, 4_000_000]})).await;
        assert_eq!(ids(read["body"].as_array().unwrap()), [3, 1, 2, 3], "{cache}: {read}");
        let written = json!({"USE_CACHE": cache, "REQUEST": "write", "SQLS": [hero("first"), hero("second")]});
        assert_eq!(heroes.post(&written).await, json!({"statusCode": 200, "body": "write success"}));
    }
    let names = heroes.sql(&format!("SELECT name FROM heroes ORDER BY id LIMIT 8 OFFSET {before}"));
    let names: Vec<_> = names.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "second"].repeat(4));
    let with = |name: &str, value: Value| {
        let mut bad = hero("bad");
        bad[name] = value;
        json!({"USE_CACHE": "True", "REQUEST": "write", "SQLS": [hero("good"), bad]})
    };
    let read = |ids: Value| json!({"USE_CACHE": "True", "REQUEST": "read", "SQLS": ids});
    let bad = [
        (json!({}), "USE_CACHE"),
        (json!({"USE_CACHE": "perhaps", "REQUEST": "read", "SQLS": [1]}), "USE_CACHE"),
        (json!({"USE_CACHE": "True", "SQLS": [1]}), "REQUEST"),
        (json!({"USE_CACHE": "True", "REQUEST": "drop", "SQLS": [1]}), "REQUEST"),
        (json!({"USE_CACHE": "True", "REQUEST": "read"}), "SQLS"),
        (read(json!("1 OR 1=1")), "SQLS"),
        (read(json!([1, -1])), "SQLS[1]"),
        (read(json!([1.5])), "SQLS[0]"),
        (read(json!((1..=10_000).collect::<Vec<_>>())), "SQLS"),
        (with("name", json!("x".repeat(21))), "SQLS[1].name"),
        (with("power", json!(7)), "SQLS[1].power"),
        (with("xp", json!("ten")), "SQLS[1].xp"),
        (with("xp", json!(3_000_000_000_i64)), "SQLS[1].xp"),
        (with("id", json!(1)), "SQLS[1].id"),
        (json!({"USE_CACHE": "True", "REQUEST": "write", "SQLS": [{"name": "x"}]}), "SQLS[0].hero"),
        (json!([]), "body"),
    ];
    for (request, named) in bad {
        let refused = heroes.post(&request).await;
        assert_eq!(refused["statusCode"], 400, "{request}: {refused}");
        assert!(refused["body"].as_str().unwrap().contains(named), "{request}: {refused}");
    }
    // What the gateway refuses before any function sees it.
    for (body, status) in [("{oops", 400), (&*"x".repeat(11 << 20), 413)] {
        assert_eq!(heroes.send(body).await.status, status);
    }
    let after = heroes.sql("SELECT COUNT(*) AS n FROM heroes")[0]["n"].as_i64().unwrap();
    assert_eq!(after, before + 8, "nothing of a refused request is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds_and_the_cache_is_never_a_dependency() {
    let heroes = Heroes::up();
    contract(&heroes).await;
    let port = cache_port(&heroes).await;
    assert_eq!(ids(&heroes.read("True", &[1, 2]).await), [1, 2]);
    assert!(is_cached(&heroes, port, 2));

    // Away: the database answers, the log says so, and a write is a write.
    let away = keep_away(&heroes, port).await;
    assert_eq!(ids(&heroes.read("True", &[2, 1]).await), [2, 1]);
    until("no log line", async || function_says(&heroes, "going on with the database").await).await;
    heroes.sql("UPDATE heroes SET xp = 777 WHERE id = 2");
    let write = json!({"USE_CACHE": "True", "REQUEST": "write", "SQLS": [hero("meanwhile")]});
    assert_eq!(heroes.post(&write).await["body"], "write success");
    let new = heroes.sql("SELECT MAX(id) AS id FROM heroes")[0]["id"].as_i64().unwrap();
    assert_eq!(heroes.read("True", &[2, new]).await[0]["xp"], 777);

    // Back, and used again; nothing of before is served.
    drop(away);
    until("the cache does not come back", async || {
        heroes.read("True", &[2]).await;
        is_cached(&heroes, port, 2)
    })
    .await;
    for _ in 0..2 {
        let rows = heroes.read("True", &[1, 2, new]).await;
        assert_eq!((ids(&rows), &rows[1]["xp"], &rows[2]["name"]), (vec![1, 2, new], &json!(777), &json!("meanwhile")));
    }

    // One that hangs is not waited for, and what it holds is what was written while it hung.
    let hanging = children(heroes.clients.home(), CACHES);
    send(Signal::STOP, &hanging);
    let begun = Instant::now();
    assert_eq!(heroes.post(&write).await["body"], "write success");
    let new = heroes.sql("SELECT MAX(id) AS id FROM heroes")[0]["id"].as_i64().unwrap();
    assert_eq!(heroes.read("True", &[1, new]).await[1]["name"], "meanwhile");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    send(Signal::CONT, &hanging);
    until("the cache is not used again", async || {
        assert_eq!(heroes.read("True", &[1, new]).await[1]["name"], "meanwhile");
        is_cached(&heroes, port, new)
    })
    .await;
    heroes.down();
}

/// Posts writes until told to stop; the names of those that were acknowledged. All other answers are documented ones.
async fn write_on(heroes: &Heroes, who: usize, over: &AtomicBool, done: &Mutex<BTreeSet<String>>) {
    for at in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("w{who}-{at}");
        let cache = if at % 2 == 0 { "True" } else { "False" };
        let answer = heroes.post(&json!({"USE_CACHE": cache, "REQUEST": "write", "SQLS": [hero(&name)]})).await;
        match answer["statusCode"].as_u64() {
            Some(200) => drop(done.lock().unwrap().insert(name)),
            // What was sent and not answered may be stored, or not.
            Some(503) => assert!(
                ["not available; try again", "may be stored or not"]
                    .iter()
                    .any(|told| answer["body"].as_str().unwrap().contains(told)),
                "{answer}"
            ),
            _ => panic!("{answer}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_and_the_cloud_killed_under_load_lose_no_acknowledged_write() {
    let heroes = Heroes::up();
    let (over, done) = (AtomicBool::new(false), Arc::new(Mutex::new(BTreeSet::new())));
    let more = async |count: usize| {
        let wanted = done.lock().unwrap().len() + count;
        until("writes do not go on", async || done.lock().unwrap().len() >= wanted).await;
    };
    let killer = async {
        for programs in [DATABASES, CACHES, DATABASES] {
            more(40).await;
            kill(heroes.clients.home(), programs);
        }
        more(40).await;
        over.store(true, Ordering::Relaxed);
    };
    let writers = (0..4).map(|who| write_on(&heroes, who, &over, &done));
    tokio::join!(killer, futures_util::future::join_all(writers));

    let cloud = Pid::from_raw(i32::try_from(heroes.labctl.found().pid).unwrap()).unwrap();
    kill_process(cloud, Signal::KILL).unwrap();
    until("it is not gone", async || labctl::local::Found::find(heroes.clients.home()).unwrap().is_none()).await;
    heroes.labctl.run(&["local", "start"]);
    let names = heroes.sql("SELECT name FROM heroes WHERE name LIKE 'w%-%'");
    let names: BTreeSet<String> = names.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    let done = done.lock().unwrap().clone();
    let lost: Vec<_> = done.difference(&names).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged writes are lost: {lost:?}", lost.len(), done.len());
    heroes.down();
}
