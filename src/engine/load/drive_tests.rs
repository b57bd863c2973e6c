use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::engine::load::{Judge, Request};

/// A server whose answers to the requests, counted from 0, are what `answer` says, after as long as it says.
struct Server {
    uri: http::Uri,
    connections: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(answer: impl Fn(u64) -> (u16, Duration) + Copy + Send + 'static) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (requests, connections) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                let requests = requests.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |_: http::Request<hyper::body::Incoming>| {
                        let (status, after) = answer(requests.fetch_add(1, Ordering::Relaxed));
                        async move {
                            tokio::time::sleep(after).await;
                            let answer = Response::builder().status(status).body(Full::new(Bytes::from("ok")));
                            Ok::<_, Infallible>(answer.unwrap())
                        }
                    });
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Server { uri, connections, task }
    }

    fn mix(&self) -> Mix {
        let judge: Judge = Arc::new(|status, _| if status == 200 { Ok(()) } else { Err(status.to_string()) });
        let (method, headers, uri) = (Method::POST, HeaderMap::new(), self.uri.clone());
        Mix::new(vec![Request { weight: 1, method, uri, path: None, headers, body: None, judge, signer: None }])
            .unwrap()
    }

    async fn drive(&self, shape: &Shape) -> Run {
        drive(self.mix(), shape, Watch::nobody()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn at_once(_: u64) -> (u16, Duration) {
    (200, Duration::ZERO)
}

fn rate(per_second: f64, connections: u32, within: Duration) -> Shape {
    Shape { pace: Pace::Rate { per_second, connections }, requests: None, within }
}

#[tokio::test]
async fn every_request_is_sent_once_over_one_connection_each_and_errors_are_counted_by_kind() {
    let server = Server::start(|number| (if number % 4 == 3 { 503 } else { 200 }, Duration::ZERO)).await;
    let run = server.drive(&Shape::requests(3, 40, MINUTE)).await;
    let report = run.report();
    let received = report.bytes.map(|bytes| bytes.received);
    assert_eq!((report.requests, report.errors.get("503"), received), (40, Some(&10), Some(80)));
    assert!(report.rps > 0.0 && report.latency_ms.max >= report.latency_ms.p50);
    assert!(server.connections.load(Ordering::Relaxed) <= 3);
    assert_eq!(run.over_time.iter().map(|moment| moment.requests).sum::<u64>(), 40);
    assert!(!run.stopped && run.ramp_up.is_none() && run.late.is_none());
}

#[tokio::test]
async fn users_who_begin_one_after_the_other_are_reported_apart_until_all_have() {
    let server = Server::start(|_| (200, Duration::from_millis(1))).await;
    let habits = Users { spawn_rate: Some(20.0), ..Users::eager(5) };
    let shape = Shape { pace: Pace::Users(habits), requests: None, within: Duration::from_millis(600) };
    let run = server.drive(&shape).await;
    let ramp_up = run.ramp_up.clone().unwrap();
    assert!((ramp_up.seconds - 0.2).abs() < 1e-9 && ramp_up.requests > 0, "{ramp_up:?}");
    assert!(run.took >= Duration::from_millis(300) && run.tally.requests() > 0, "{run:?}");
}

#[tokio::test]
async fn users_wait_between_their_bursts() {
    let server = Server::start(at_once).await;
    let range = |number| Some(crate::lab::model::Range { from: number, to: number });
    let habits = Users { wait: range(0.2), burst: range(5.0), ..Users::eager(2) };
    let shape = Shape { pace: Pace::Users(habits), requests: None, within: Duration::from_millis(500) };
    // At 0, 0.2 and 0.4 s, if this machine keeps up; never more.
    let requests = server.drive(&shape).await.tally.requests();
    assert!((10..=30).contains(&requests) && requests.is_multiple_of(5), "{requests}");
}

#[tokio::test]
async fn a_stall_is_seen_by_every_request_that_should_have_been_sent_meanwhile() {
    // The tenth request is answered after a second. With one connection everything waits for it.
    let stall = |number| (200, Duration::from_millis(if number == 10 { 1000 } else { 0 }));
    let server = Server::start(stall).await;
    let shape = rate(200.0, 1, Duration::from_secs(2));
    let run = server.drive(&shape).await;
    let (report, late) = (run.report(), run.late.unwrap());
    assert_eq!((report.requests, report.errors.len()), (400, 0));
    // 200 of the 400 requests were due during the stall, and waited from 1 s down to nothing: a quarter of all half a second or more.
    assert!(report.latency_ms.p80 >= 350.0 && report.latency_ms.max >= 990.0, "{report:?}");
    assert!(late.requests >= 150 && late.max_ms >= 900.0 && late.unsent == 0, "{late:?}");
    assert!(late.requests - late.by_generator >= 150, "there was no connection free: {late:?}");

    // Users who wait for their answer see the same stall once.
    let server = Server::start(stall).await;
    let report = server.drive(&Shape::requests(1, 400, MINUTE)).await.report();
    assert!(report.latency_ms.p99 < 350.0 && report.latency_ms.max >= 990.0, "{report:?}");
}

#[tokio::test]
async fn a_rate_opens_as_many_connections_as_it_needs_and_no_more() {
    let server = Server::start(|_| (200, Duration::from_millis(100))).await;
    let run = server.drive(&rate(100.0, 50, Duration::from_millis(500))).await;
    assert_eq!(run.report().requests, 50);
    // Ten are under way at a time; a busy machine may need some more.
    let connections = server.connections.load(Ordering::Relaxed);
    assert!((8..50).contains(&connections), "{connections}");
    assert_eq!(run.late.map(|late| late.unsent), Some(0));
}

#[tokio::test]
async fn what_finds_no_connection_before_the_end_is_an_error_and_has_waited() {
    let server = Server::start(|_| (200, Duration::from_secs(2))).await;
    let run = server.drive(&rate(20.0, 2, Duration::from_millis(500))).await;
    let report = run.report();
    assert_eq!((report.requests, report.errors.get("not sent")), (10, Some(&8)));
    assert_eq!(run.late.map(|late| late.unsent), Some(8));
}

#[tokio::test]
async fn a_load_that_is_stopped_reports_what_it_has() {
    let server = Server::start(|_| (200, Duration::from_millis(5))).await;
    for shape in [Shape::requests(2, u64::MAX, MINUTE), rate(50.0, 4, MINUTE)] {
        let (told, stop) = tokio::sync::oneshot::channel();
        let mut told = Some(told);
        // After the first look.
        let seen = |_: &Moment| {
            told.take().map(|told| told.send(()));
        };
        let stop = async { drop(stop.await) };
        let run = drive(server.mix(), &shape, Watch { seen, stop }).await.unwrap();
        assert!(run.stopped && run.took < MINUTE / 2);
        assert!(run.report().requests > 5 && run.report().errors.is_empty(), "{:?}", run.report());
    }
}

#[tokio::test]
async fn a_request_that_has_no_answer_when_a_stopped_load_ends_is_counted_as_cut_off() {
    // Every third request is never answered.
    let server = Server::start(|number| (200, if number % 3 == 2 { MINUTE } else { Duration::ZERO })).await;
    for shape in [Shape::requests(2, u64::MAX, MINUTE), rate(20.0, 2, MINUTE)] {
        let stop = tokio::time::sleep(Duration::from_millis(300));
        let run = drive(server.mix(), &shape, Watch { seen: |_: &Moment| {}, stop }).await.unwrap();
        assert_eq!(run.report().errors.get("cut off"), Some(&2), "{:?}", run.report());
    }
}

#[tokio::test]
async fn where_nobody_listens_every_request_is_an_error_of_its_kind() {
    let mix = {
        let server = Server::start(at_once).await;
        server.mix()
    };
    // The server's socket is closed when its task is gone.
    let run = loop {
        let run = drive(mix_again(&mix), &Shape::requests(1, 3, MINUTE), Watch::nobody()).await.unwrap();
        if !run.report().errors.is_empty() {
            break run;
        }
    };
    assert_eq!(run.report().errors.keys().collect::<Vec<_>>(), ["connect"]);
}

fn mix_again(mix: &Mix) -> Mix {
    let judge: Judge = Arc::new(|_, _| Ok(()));
    let (uri, headers) = (mix.uri.clone(), HeaderMap::new());
    let method = Method::GET;
    Mix::new(vec![Request { weight: 1, method, uri, path: None, headers, body: None, judge, signer: None }]).unwrap()
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_was_idle_is_made_again_without_an_error() {
    // Each connection is closed after its first answer, without a word beforehand.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = [0; 4096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut read).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
        }
    });
    let server = Server { uri, connections: Arc::default(), task };
    let range = |number| Some(crate::lab::model::Range { from: number, to: number });
    let habits = Users { wait: range(0.02), ..Users::eager(1) };
    let shape = Shape { pace: Pace::Users(habits), requests: Some(5), within: MINUTE };
    let report = server.drive(&shape).await.report();
    assert_eq!((report.requests, report.errors.len()), (5, 0), "{report:?}");
}
