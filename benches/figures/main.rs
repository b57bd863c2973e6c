//! The figures of `docs/performance.md`, measured through the front: the built program, the SDK, HTTP.
//!
//! `cargo bench --bench figures` prints them all as a table; `-- lifecycle driver api lambda swap s3` only those. With
//! `LABCTL_BENCH_OTHER=http://127.0.0.1:PORT` (another emulator that is already running) what can be asked of both is asked
//! of both, in the same run. Client and server share the machine, so beside each latency stands the processor time that one
//! request costs on the server's side, by program: it says the same on a busy machine and on a quiet one.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on stops, and prints what it found"
)]

mod aws;
mod client;
mod cloud;
mod data_api;
mod driver;
mod inventory;
mod processes;
mod swaps;
mod telemetry;
mod timeseries;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use labctl::engine::load::{Body, Judge, Mix, Report, Request, Shape, Watch, drive};
use labctl::lab::model::Sample;
use labctl::local::process::port::holder;
use serde_json::json;

use cloud::Cloud;
use processes::Cost;

/// One line of the table.
#[derive(Default)]
struct Figure {
    what: &'static str,
    measured: String,
    target: &'static str,
    /// Processor time per request, on the server's side.
    cost: String,
    other: String,
}

fn main() {
    if driver::is_half() {
        return;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let asked = |section: &str| wanted.is_empty() || wanted.iter().any(|name| name == section);
    let before = processes::busy();
    let (cloud, mut table) = (Cloud::new(), Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let other = std::env::var("LABCTL_BENCH_OTHER").ok();
    if asked("lifecycle") {
        lifecycle(&mut table);
    }
    if asked("driver") {
        table.push(driver::figure());
    }
    cloud.start();
    if asked("lambda") {
        table.push(runtime.block_on(lambda(&cloud, other.as_deref())));
    }
    if asked("swap") {
        let what = "a changed function live after its compilation, `deploy-lambda --watch`, p50 of 3";
        let measured = millis(p50(&mut swaps::live(&cloud, 3)));
        table.push(Figure { what, measured, target: "500 ms", ..Figure::default() });
    }
    if asked("s3") {
        table.push(runtime.block_on(s3(&cloud, other.as_deref())));
    }
    if asked("api") {
        cloud.up();
        runtime.block_on(api(&cloud.output("ApiUrl"), cloud.pid(), &mut table));
        cloud.down();
    }
    if asked("data-api") {
        runtime.block_on(data_api::measure(&cloud, &mut table));
    }
    if asked("inventory") {
        runtime.block_on(inventory::measure(&cloud, &mut table));
    }
    if asked("timeseries") {
        runtime.block_on(timeseries::measure(&cloud, &mut table));
    }
    // Millions of rows take minutes to fill, so they are asked for by name.
    let millions = wanted.iter().any(|name| name == "telemetry-millions");
    if asked("telemetry") || millions {
        runtime.block_on(telemetry::measure(&cloud, millions, &mut table));
    }
    table.push(Figure {
        what: "resident memory of the local cloud, idle after all this",
        measured: format!("{:.0} MB", processes::resident_megabytes(cloud.pid())),
        target: "60 MB",
        other: other
            .as_deref()
            .map(|url| format!("{:.0} MB", processes::resident_megabytes(pid_of(url))))
            .unwrap_or_default(),
        ..Figure::default()
    });
    println!("{}", processes::machine());
    println!("load average before: {before}, after: {}\n", processes::busy());
    println!("| what | measured | target | processor time per request | the other emulator |\n|---|---|---|---|---|");
    for Figure { what, measured, target, cost, other } in &table {
        println!("| {what} | {measured} | {target} | {cost} | {other} |");
    }
}

/// Each round in a new home: the local cloud is started, its authority made, the database set up.
fn lifecycle(table: &mut Vec<Figure>) {
    let nothing = Cloud::new();
    let mut version = times(50, || drop(nothing.run(&["--version"])));
    // Builds the function, if no run before has.
    Cloud::new().up();
    let (mut ups, mut agains, mut downs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let cloud = Cloud::new();
        ups.extend(times(1, || cloud.up()));
        agains.extend(times(1, || cloud.up()));
        downs.extend(times(1, || cloud.down()));
    }
    let figure = |what, measured, target| Figure { what, measured, target, ..Figure::default() };
    table.push(figure("`labctl --version`, p50 of 50", millis(p50(&mut version)), "10 ms"));
    table.push(figure("`up superheroes --local` in a new home, p50 of 5", seconds(p50(&mut ups)), "6 s"));
    table.push(figure("the same again, nothing to do, p50 of 5", seconds(p50(&mut agains)), "1 s"));
    table.push(figure("`down`, p50 of 5", seconds(p50(&mut downs)), "3 s"));
}

async fn lambda(cloud: &Cloud, other: Option<&str>) -> Figure {
    const COUNT: usize = 4000;
    let (measured, cost) = timed(cloud.pid(), async |warmed| aws::invoke(&cloud.endpoint(), COUNT, warmed).await).await;
    let other = match other {
        Some(url) => beside(url, async |warmed| aws::invoke(url, COUNT / 10, warmed).await).await,
        None => String::new(),
    };
    let what = "warm invoke of a no-op Rust function by the SDK, p50 of 4000";
    Figure { what, measured: measured.unwrap(), target: "1.5 ms", cost, other }
}

async fn s3(cloud: &Cloud, other: Option<&str>) -> Figure {
    const COUNT: usize = 4000;
    let (measured, cost) = timed(cloud.pid(), async |warmed| aws::put(&cloud.endpoint(), COUNT, warmed).await).await;
    let other = match other {
        Some(url) => beside(url, async |warmed| aws::put(url, COUNT / 10, warmed).await).await,
        None => String::new(),
    };
    let what = "PutObject 1 KB by the SDK, p50 of 4000";
    Figure { what, measured: measured.unwrap(), target: "1.5 ms", cost, other }
}

/// The other emulator's figure, or why it has none.
async fn beside(url: &str, work: impl AsyncFnOnce(&dyn Fn()) -> Result<Vec<Duration>, String>) -> String {
    match timed(pid_of(url), work).await {
        (Ok(measured), cost) => format!("{measured}; {cost}"),
        (Err(why), _) => why,
    }
}

fn pid_of(url: &str) -> u32 {
    let port = url.rsplit_once(':').unwrap().1.trim_end_matches('/').parse().unwrap();
    holder(port).unwrap().pid
}

/// The p50 of what `work` gives, and what one request cost the processes below `pid` after the warm-up.
async fn timed(
    pid: u32,
    work: impl AsyncFnOnce(&dyn Fn()) -> Result<Vec<Duration>, String>,
) -> (Result<String, String>, String) {
    let before = RefCell::new(Cost::default());
    match work(&|| *before.borrow_mut() = Cost::of(pid)).await {
        Ok(mut took) => {
            let cost = Cost::of(pid).per_request(&before.borrow(), took.len() as u64);
            (Ok(millis(p50(&mut took))), cost)
        }
        Err(why) => (Err(why), String::new()),
    }
}

async fn api(url: &str, pid: u32, table: &mut Vec<Figure>) {
    for (use_cache, what, target) in [
        ("True", "`POST /` read of 3 ids, cached, p50 at 1 client", "3 ms"),
        ("False", "`POST /` read of 3 ids, uncached, p50 at 1 client", "4 ms"),
    ] {
        let shape = Shape::requests(1, 4000, Duration::from_secs(60));
        let (report, cost) = load(url, pid, use_cache, shape).await;
        let measured = format!("{:.2} ms", report.latency_ms.p50);
        table.push(Figure { what, measured, target, cost, ..Figure::default() });
    }
    for (use_cache, what, target) in [
        ("True", "the same cached, requests per second at 32 clients", "1,500"),
        ("False", "the same uncached, requests per second at 32 clients", "-"),
    ] {
        let shape = Shape::requests(32, 20_000, Duration::from_secs(60));
        let (report, cost) = load(url, pid, use_cache, shape).await;
        let measured =
            format!("{:.0} (p50 {:.1} ms, p99 {:.1} ms)", report.rps, report.latency_ms.p50, report.latency_ms.p99);
        table.push(Figure { what, measured, target, cost, ..Figure::default() });
    }
}

/// Sends load after a warm-up of its own; gives also what one request cost the local cloud and all it runs.
async fn load(url: &str, pid: u32, use_cache: &str, shape: Shape) -> (Report, String) {
    let id = || Sample::Integer { from: 1, to: 28 };
    let fixed = |text: &str| Sample::Constant(json!(text));
    let members =
        [("USE_CACHE", fixed(use_cache)), ("REQUEST", fixed("read")), ("SQLS", Sample::List(vec![id(), id(), id()]))];
    let body = Sample::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let judge: Judge = Arc::new(|status, body| {
        let heroes = body.windows(5).filter(|part| part == b"\"id\":").count();
        let right = status == 200 && body.starts_with(b"{\"statusCode\":200,") && heroes == 3;
        if right { Ok(()) } else { Err(format!("{status} {}", String::from_utf8_lossy(body))) }
    });
    let mix = || {
        let (uri, headers) = (format!("{url}/").parse().unwrap(), HeaderMap::new());
        let (method, body, judge) = (Method::POST, Some(Body::of(&body)), judge.clone());
        Mix::new(vec![Request { weight: 1, method, uri, path: None, headers, body, judge, signer: None }]).unwrap()
    };
    let warm_up = Shape { requests: shape.requests.map(|requests| requests / 10), ..shape };
    drive(mix(), &warm_up, Watch::nobody()).await.unwrap();
    let before = Cost::of(pid);
    let report = drive(mix(), &shape, Watch::nobody()).await.unwrap().report();
    let cost = Cost::of(pid).per_request(&before, report.requests);
    assert!(report.errors.is_empty(), "{report:?}");
    (report, cost)
}

fn times(count: usize, mut work: impl FnMut()) -> Vec<Duration> {
    let once = |()| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    };
    std::iter::repeat_n((), count).map(once).collect()
}

fn p50(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
