//! Code is replaced under load: no call fails, and each is answered by the code that stood there when it was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{BOOTSTRAP, World, zip_of};
use crate::scope::Scope;
use crate::services::lambda::names::Target;
use crate::services::lambda::state::{Function, Version};
use crate::services::lambda::swap::Swap;

const ROUNDS: u64 = 20;

/// The zip of a function that tells its generation as `start`.
fn generation(number: u64) -> String {
    let told = format!("start = os.environ.get(\"START\") or \"{number}\"");
    let code = BOOTSTRAP.replace("start = os.environ.get(\"START\", \"\")", &told);
    assert_ne!(code, BOOTSTRAP);
    zip_of(&code, 0o755)
}

/// One call: when it was sent and answered, and by which generation.
struct Answered {
    sent: Instant,
    done: Instant,
    generation: u64,
}

/// Callers of one qualifier, who stop when they are told.
struct Load {
    callers: JoinSet<Vec<Answered>>,
    stop: Arc<AtomicBool>,
    /// One more than the newest generation that has answered.
    newest: Arc<AtomicU64>,
}

impl Load {
    fn start(world: &Arc<World>, qualifier: &'static str, callers: usize) -> Self {
        let (stop, newest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut load = Load { callers: JoinSet::new(), stop, newest };
        for _ in 0..callers {
            let (world, stop, newest) = (world.clone(), load.stop.clone(), load.newest.clone());
            load.callers.spawn(async move {
                let mut answered = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let sent = Instant::now();
                    let event = json!({"do": "sleep", "seconds": 0.003});
                    let (output, payload) = world.invoke(json!({"Qualifier": qualifier}), event).await.unwrap();
                    assert_eq!(output.get("FunctionError"), None, "a failed call: {payload}");
                    let generation = payload["start"].as_str().unwrap().parse().unwrap();
                    newest.fetch_max(generation + 1, Ordering::Relaxed);
                    answered.push(Answered { sent, done: Instant::now(), generation });
                }
                answered
            });
        }
        load
    }

    /// Waits until a caller was answered by this generation.
    async fn sees(&self, generation: u64) {
        while self.newest.load(Ordering::Relaxed) <= generation {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends the load and holds every answer to the `changes`: when each generation was begun, and when it stood.
    async fn end(self, changes: &[(Instant, Instant)]) {
        self.stop.store(true, Ordering::Relaxed);
        let mut calls = 0;
        for answered in self.callers.join_all().await {
            assert!(answered.is_sorted_by_key(|call| call.generation), "a caller went back to older code");
            calls += answered.len();
            for Answered { sent, done, generation } in answered {
                let least = changes.iter().filter(|(_, stood)| *stood <= sent).count() as u64;
                let most = changes.iter().filter(|(begun, _)| *begun <= done).count() as u64;
                assert!((least..=most).contains(&generation), "{generation} answered, not {least} to {most}");
            }
        }
        assert!(calls as u64 > ROUNDS, "{calls} calls");
    }
}

async fn update(world: &World, number: u64) -> Value {
    let input = json!({"FunctionName": "f", "ZipFile": generation(number)});
    world.call("UpdateFunctionCode", input).await.unwrap()
}

fn entries(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_is_replaced_twenty_times_under_load_without_a_failed_call_or_an_old_answer() {
    let world = Arc::new(World::open().await);
    world.create(json!({"Timeout": 10, "Code": {"ZipFile": generation(0)}})).await.unwrap();
    let load = Load::start(&world, "$LATEST", 3);
    load.sees(0).await;
    let mut changes = Vec::new();
    for number in 1..=ROUNDS {
        let begun = Instant::now();
        let answer = update(&world, number).await;
        assert_eq!(answer["LastUpdateStatus"], "InProgress");
        world.settled().await;
        changes.push((begun, Instant::now()));
        load.sees(number).await;
    }
    load.end(&changes).await;
    // The old environments and their code are gone: three callers never needed more than a few.
    let (scratch, code) = (world.cloud.home.run().join("lambda"), world.cloud.home.state("lambda").join("code"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while entries(&scratch) > 6 || entries(&code) > 2 {
        assert!(Instant::now() < deadline, "{} environments, {} packages", entries(&scratch), entries(&code));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_goes_over_to_each_new_version_at_once_and_without_a_failed_call() {
    let world = Arc::new(World::open().await);
    world.create(json!({"Timeout": 10, "Code": {"ZipFile": generation(0)}, "Publish": true})).await.unwrap();
    world.call("CreateAlias", json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})).await.unwrap();
    let load = Load::start(&world, "live", 2);
    let mut changes = Vec::new();
    for number in 1..=ROUNDS {
        update(&world, number).await;
        world.settled().await;
        let published = world.call("PublishVersion", json!({"FunctionName": "f"})).await.unwrap();
        let change = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": published["Version"]});
        let begun = Instant::now();
        world.call("UpdateAlias", change).await.unwrap();
        changes.push((begun, Instant::now()));
        load.sees(number).await;
    }
    load.end(&changes).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_with_weights_sends_its_share_to_each_version() {
    let world = World::open().await;
    world.create(json!({"Timeout": 10, "Code": {"ZipFile": generation(0)}, "Publish": true})).await.unwrap();
    update(&world, 1).await;
    world.call("PublishVersion", json!({"FunctionName": "f"})).await.unwrap();
    for (weight, expected) in [(0.0, 0..=0), (0.25, 5..=50), (1.0, 100..=100)] {
        let routing = json!({"AdditionalVersionWeights": {"2": weight}});
        let alias = json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1", "RoutingConfig": routing});
        let there = world.call("GetAlias", json!({"FunctionName": "f", "Name": "live"})).await.is_ok();
        world.call(if there { "UpdateAlias" } else { "CreateAlias" }, alias).await.unwrap();
        let mut new = 0;
        for _ in 0..100 {
            let (output, payload) =
                world.invoke(json!({"Qualifier": "live"}), json!({"do": "sleep", "seconds": 0})).await.unwrap();
            let second = output["ExecutedVersion"] == "2";
            assert_eq!(
                payload["start"],
                if second { "1" } else { "0" },
                "the version that is told is the one that ran"
            );
            new += usize::from(second);
        }
        assert!(expected.contains(&new), "{new} of 100 with a weight of {weight}");
    }
    world.stop().await;
}

#[test]
fn an_update_that_a_kill_interrupted_is_done_after_the_restart_and_new_code_that_does_not_start_says_so() {
    // A runtime for each life: nothing of the first goes on in the second.
    let life = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (home, functions, record) = life().block_on(async {
        let world = World::open().await;
        world.create(json!({"Timeout": 10, "Code": {"ZipFile": generation(0)}})).await.unwrap();
        world.run(json!({})).await;
        let broken = json!({"FunctionName": "f", "Environment": {"Variables": {"START": "exit"}}});
        assert_eq!(world.call("UpdateFunctionConfiguration", broken).await.unwrap()["LastUpdateStatus"], "InProgress");
        world.settled().await;
        assert_eq!(world.run(json!({})).await["errorType"], "Runtime.ExitError");
        let good = json!({"FunctionName": "f", "Environment": {"Variables": {}}});
        // Nothing of the broken revision is warm: there is nothing to wait for.
        assert_eq!(world.call("UpdateFunctionConfiguration", good).await.unwrap()["LastUpdateStatus"], "Successful");
        assert_eq!(world.run(json!({"do": "sleep", "seconds": 0})).await["start"], "0");
        update(&world, 1).await;
        // What a kill leaves is the record as it is now.
        let functions = world.cloud.home.state("lambda").join("functions.json");
        let record = std::fs::read_to_string(&functions).unwrap();
        assert!(record.contains("\"next\":{"), "{record}");
        world.stop().await;
        (world.home, functions, record)
    });
    std::fs::write(functions, record).unwrap();
    life().block_on(async {
        let world = World::on(home).await;
        world.settled().await;
        assert_eq!(world.run(json!({"do": "sleep", "seconds": 0})).await["start"], "1");
        world.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_warmed_for_a_function_that_has_gone_ends() {
    let world = World::open().await;
    world.create(json!({"Timeout": 10, "Code": {"ZipFile": generation(0)}})).await.unwrap();
    world.run(json!({})).await;
    let (lambda, scope, target) = (&world.lambda, Scope::root("us-east-1"), Target::unqualified("f").unwrap());
    let mut function = Function::clone(&lambda.function(&scope, &target).unwrap());
    let next = Version { revision: "next".into(), ..Version::clone(&function.latest) };
    let swap = Swap::begin(lambda, &mut function, next);
    world.call("DeleteFunction", json!({"FunctionName": "f"})).await.unwrap();
    swap.finish(lambda.clone(), scope, target).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !lambda.fleet.codes().is_empty() {
        assert!(Instant::now() < deadline, "an environment of a function that is not there goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.stop().await;
}
