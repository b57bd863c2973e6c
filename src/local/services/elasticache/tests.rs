//! The service through its dispatcher, with the real engine of this machine.

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::cloud::Parts;
use crate::process::Processes;
use crate::process::engines::{Engines, Search};
use crate::resource::{Properties, ResourceContext};
use crate::scope::Scope;

struct World {
    _dir: tempfile::TempDir,
    cloud: Arc<Cloud>,
    scope: Scope,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engines = Engines::find(&Search::here(dir.path())).await.unwrap();
        assert!(engines.redis.is_some(), "{}", engines.cache().unwrap_err().remedies().join("\n"));
        let cloud = Self::open(dir.path(), engines);
        World { _dir: dir, cloud, scope: Scope::root("us-east-1") }
    }

    fn open(dir: &std::path::Path, engines: Engines) -> Arc<Cloud> {
        let parts = Parts::of_test(dir);
        let processes = Processes::of(&parts.home);
        let cloud = Cloud::new(Parts { processes, engines, ..parts });
        cloud.register(vec![open(&cloud).unwrap(), crate::services::ec2::open(&cloud).unwrap()]);
        cloud
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        let output = self.cloud.call(&self.scope, "elasticache", operation, input).await;
        output.unwrap_or_else(|fault| panic!("{operation}: {fault}"))
    }

    async fn refused(&self, operation: &str, input: Value) -> Fault {
        match self.cloud.call(&self.scope, "elasticache", operation, input).await {
            Ok(output) => panic!("{operation} succeeded: {output}"),
            Err(fault) => fault,
        }
    }

    async fn group(&self, id: &str) -> Value {
        self.ok("DescribeReplicationGroups", json!({"ReplicationGroupId": id})).await["ReplicationGroups"][0].clone()
    }

    async fn wait(&self, id: &str, status: &str) -> Value {
        let begun = Instant::now();
        loop {
            let group = self.group(id).await;
            if group["Status"] == status {
                return group;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{group}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn create(&self, id: &str, more: Value) -> Value {
        let mut input = json!({
            "ReplicationGroupId": id, "ReplicationGroupDescription": "d", "Engine": "valkey", "CacheNodeType": "cache.t4g.micro",
            "NumCacheClusters": 1, "TransitEncryptionEnabled": true,
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let made = self.ok("CreateReplicationGroup", input).await;
        assert_eq!(made["ReplicationGroup"]["Status"], "creating");
        self.wait(id, "available").await
    }

    async fn stop(self) {
        for service in self.cloud.services() {
            service.clone().stop().await;
        }
    }

    /// A client's view: TLS verified with the authority's certificate, as the default user.
    async fn client(&self, port: u64, token: Option<&str>, words: &[&str]) -> (bool, String) {
        let ca = self.cloud.authority.certificate_file();
        let mut command = tokio::process::Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "--tls", "--cacert"]).arg(ca).args(words).env_clear();
        if let Some(token) = token {
            command.env("REDISCLI_AUTH", token);
        }
        let output = command.output().await.expect("redis-cli is installed: apt-get install redis-tools");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), text)
    }
}

fn port(group: &Value) -> u64 {
    group["NodeGroups"][0]["PrimaryEndpoint"]["Port"].as_u64().unwrap()
}

#[tokio::test]
async fn a_group_is_available_when_it_answers_over_verified_tls_and_gone_when_deleted() {
    let world = World::new().await;
    let group = world.create("lab", json!({})).await;
    let (_, said) = world.client(port(&group), None, &["SET", "a", "1"]).await;
    assert_eq!(said.trim(), "OK");
    let (_, said) = world.client(port(&group), None, &["CONFIG", "GET", "dir"]).await;
    assert!(said.contains("unknown command"), "{said}");
    let plain = tokio::process::Command::new("redis-cli")
        .args(["-p", &port(&group).to_string(), "PING"])
        .output()
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&plain.stdout).contains("PONG"), "plain connections are refused");
    let events =
        world.ok("DescribeEvents", json!({"SourceIdentifier": "lab", "SourceType": "replication-group"})).await;
    let told = events["Events"].to_string();
    assert!(told.contains("of this machine serves valkey 8.0"), "{told}");

    let again = json!({"ReplicationGroupId": "LAB", "ReplicationGroupDescription": "d", "Engine": "valkey", "CacheNodeType": "cache.t4g.micro"});
    assert_eq!(world.refused("CreateReplicationGroup", again).await.code, "ReplicationGroupAlreadyExists");
    world.ok("DeleteReplicationGroup", json!({"ReplicationGroupId": "lab"})).await;
    let begun = Instant::now();
    let gone = json!({"ReplicationGroupId": "lab"});
    while world.cloud.call(&world.scope, "elasticache", "DescribeReplicationGroups", gone.clone()).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(std::net::TcpListener::bind(("127.0.0.1", u16::try_from(port(&group)).unwrap())).is_ok());
    assert!(!node::directory(&world.cloud, "us-east-1", "lab-001").exists());
    world.stop().await;
}

#[tokio::test]
async fn a_killed_node_comes_back_on_its_port() {
    let world = World::new().await;
    let group = world.create("lab", json!({})).await;
    let (_, info) = world.client(port(&group), None, &["INFO", "server"]).await;
    let pid = info.lines().find_map(|line| line.trim().strip_prefix("process_id:")).unwrap().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    let begun = Instant::now();
    loop {
        let (_, info) = world.client(port(&group), None, &["INFO", "server"]).await;
        if info.lines().any(|line| line.trim().strip_prefix("process_id:").is_some_and(|now| now != pid.to_string())) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{info}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(port(&world.wait("lab", "available").await), port(&group));
    let events =
        world.ok("DescribeEvents", json!({"SourceIdentifier": "lab", "SourceType": "replication-group"})).await;
    assert!(events["Events"].to_string().contains("recovery has begun"), "{events}");
    world.stop().await;
}

#[tokio::test]
async fn a_second_cache_cluster_is_a_real_replica() {
    let world = World::new().await;
    let group = world.create("lab", json!({"NumCacheClusters": 2, "AutomaticFailoverEnabled": true})).await;
    let reader = group["NodeGroups"][0]["ReaderEndpoint"]["Port"].as_u64().unwrap();
    assert_ne!(reader, port(&group));
    world.client(port(&group), None, &["SET", "a", "1"]).await;
    let begun = Instant::now();
    while world.client(reader, None, &["GET", "a"]).await.1.trim() != "1" {
        assert!(begun.elapsed() < Duration::from_secs(30), "the replica does not follow");
    }
    assert!(world.client(reader, None, &["SET", "a", "2"]).await.1.contains("READONLY"));
    let fewer = json!({"ReplicationGroupId": "lab", "NewReplicaCount": 0, "ApplyImmediately": true});
    assert_eq!(world.refused("DecreaseReplicaCount", fewer.clone()).await.code, "InvalidParameterCombination");
    world.ok("ModifyReplicationGroup", json!({"ReplicationGroupId": "lab", "AutomaticFailoverEnabled": false})).await;
    world.ok("DecreaseReplicaCount", fewer).await;
    let more = json!({"ReplicationGroupId": "lab", "NewReplicaCount": 1, "ApplyImmediately": true});
    world.ok("IncreaseReplicaCount", more).await;
    let group = world.wait("lab", "available").await;
    assert_eq!(group["MemberClusters"], json!(["lab-001", "lab-002"]));
    world.stop().await;
}

#[tokio::test]
async fn a_token_is_needed_rotated_and_never_shown() {
    let world = World::new().await;
    let (old, new) = ("first-token-of-all", "second-token-of-all");
    let group = world.create("lab", json!({"AuthToken": old})).await;
    assert!(world.client(port(&group), None, &["GET", "a"]).await.1.contains("NOAUTH"));
    assert_eq!(world.client(port(&group), Some(old), &["PING"]).await.1.trim(), "PONG");
    world
        .ok(
            "ModifyReplicationGroup",
            json!({"ReplicationGroupId": "lab", "AuthToken": new, "AuthTokenUpdateStrategy": "ROTATE"}),
        )
        .await;
    for token in [old, new] {
        assert_eq!(world.client(port(&group), Some(token), &["PING"]).await.1.trim(), "PONG");
    }
    world
        .ok(
            "ModifyReplicationGroup",
            json!({"ReplicationGroupId": "lab", "AuthToken": new, "AuthTokenUpdateStrategy": "SET"}),
        )
        .await;
    assert!(world.client(port(&group), Some(old), &["PING"]).await.1.contains("WRONGPASS"));
    assert_eq!(world.client(port(&group), Some(new), &["PING"]).await.1.trim(), "PONG");
    let shown = world.ok("DescribeReplicationGroups", json!({})).await.to_string();
    assert!(!shown.contains("token-of-all"), "{shown}");
    let bare = json!({"ReplicationGroupId": "b", "ReplicationGroupDescription": "d", "CacheNodeType": "cache.t4g.micro", "AuthToken": old});
    assert_eq!(world.refused("CreateReplicationGroup", bare).await.code, "InvalidParameterCombination");
    world.stop().await;
}

#[tokio::test]
async fn parameters_reach_running_nodes() {
    let world = World::new().await;
    let named = json!({"CacheParameterGroupName": "mine", "CacheParameterGroupFamily": "valkey8", "Description": "d"});
    world.ok("CreateCacheParameterGroup", named).await;
    let group = world.create("lab", json!({"CacheParameterGroupName": "mine"})).await;
    let set = |name: &str, value: &str| json!({"CacheParameterGroupName": "mine", "ParameterNameValues": [{"ParameterName": name, "ParameterValue": value}]});
    world.ok("ModifyCacheParameterGroup", set("maxmemory-policy", "allkeys-lru")).await;
    let (_, memory) = world.client(port(&group), None, &["INFO", "memory"]).await;
    assert!(memory.contains("maxmemory_policy:allkeys-lru") && memory.contains("maxmemory_human:384.00M"), "{memory}");
    assert_eq!(
        world.refused("ModifyCacheParameterGroup", set("maxmemory-policy", "x")).await.code,
        "InvalidParameterValue"
    );
    assert_eq!(world.refused("ModifyCacheParameterGroup", set("nope", "x")).await.code, "InvalidParameterValue");
    let in_use = json!({"CacheParameterGroupName": "mine"});
    assert_eq!(world.refused("DeleteCacheParameterGroup", in_use).await.code, "InvalidCacheParameterGroupState");
    world.stop().await;
}

#[tokio::test]
async fn cloudformation_changes_replicas_and_settings_together_without_waiting_for_the_end() {
    let world = World::new().await;
    let of = world.cloud.resource_type("AWS::ElastiCache::ReplicationGroup").unwrap();
    let cx = ResourceContext {
        cloud: world.cloud.clone(),
        scope: world.scope.clone(),
        service: "elasticache",
        stack_id: "s".into(),
        stack_name: "s".into(),
        logical_id: "Cache".into(),
        token: "t".into(),
        stack_tags: Vec::new(),
        old_stack_tags: Vec::new(),
        express: true,
    };
    let old = json!({
        "ReplicationGroupId": "lab", "ReplicationGroupDescription": "one", "Engine": "valkey", "CacheNodeType": "cache.t4g.micro",
        "NumCacheClusters": 1, "TransitEncryptionEnabled": true,
    });
    of.create(&cx, &old).await.unwrap();
    let mut new = old.clone();
    new["NumCacheClusters"] = json!(2);
    new["AutomaticFailoverEnabled"] = json!(true);
    of.update(&cx, "lab", &old, &new).await.unwrap();
    let mut more = new.clone();
    more["NumCacheClusters"] = json!(3);
    let made = of.update(&cx, "lab", &new, &more).await.unwrap();
    assert_eq!(made.attributes["ReadEndPoint.PortsList"].as_array().unwrap().len(), 3);
    let group = world.wait("lab", "available").await;
    assert_eq!((&group["MemberClusters"][2], &group["AutomaticFailover"]), (&json!("lab-003"), &json!("enabled")));
    // Taken out of the template, both go back to what they are without it.
    let less = more.pick(&["ReplicationGroupDescription", "Engine", "CacheNodeType", "TransitEncryptionEnabled"]);
    of.update(&cx, "lab", &more, &less).await.unwrap();
    let group = world.wait("lab", "available").await;
    assert_eq!((&group["MemberClusters"], &group["AutomaticFailover"]), (&json!(["lab-001"]), &json!("disabled")));
    world.stop().await;
}

#[tokio::test]
async fn what_is_not_here_is_refused_by_name() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut input = json!({"ReplicationGroupId": "lab", "ReplicationGroupDescription": "d", "CacheNodeType": "cache.t4g.micro"});
        input[name] = value;
        input
    };
    for (name, value) in [
        ("NumNodeGroups", json!(2)),
        ("SnapshotRetentionLimit", json!(1)),
        ("KmsKeyId", json!("k")),
        ("SnapshotName", json!("s")),
    ] {
        let fault = world.refused("CreateReplicationGroup", with(name, value)).await;
        assert!(fault.code == "NotImplemented" && fault.message.contains(name), "{fault}");
    }
    assert_eq!(
        world.refused("CreateReplicationGroup", with("AutomaticFailoverEnabled", json!(true))).await.code,
        "InvalidParameterCombination"
    );
    assert_eq!(
        world.refused("CreateReplicationGroup", with("CacheNodeType", json!("cache.x"))).await.code,
        "InvalidParameterValue"
    );
    assert_eq!(world.refused("CreateSnapshot", json!({})).await.code, "NotImplemented");
    world.stop().await;
}
