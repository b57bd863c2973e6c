//! Statements and waiting; and transactions against a Data API that answers from a script, or not at all.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use serde_json::{Value, json};

use super::*;
use crate::settings::DatabaseSettings;
use crate::xray::Daemon;

fn packages(count: usize) -> Vec<Package> {
    let package = |at| Package { package_name: format!("p{at}"), package_version: "v".into() };
    (0..count).map(package).collect()
}

#[test]
fn a_hundred_packages_are_four_sets_and_a_thousand_fit_into_one_call() {
    for (count, rows, sets) in [(1, 1, 1), (3, 4, 1), (4, 4, 1), (100, 25, 4), (101, 25, 5), (1000, 25, 40)] {
        let found = count_of(count);
        assert_eq!(found, (rows, sets), "{count}");
        assert!(sets <= MOST_SETS);
    }
}

fn count_of(count: usize) -> (usize, usize) {
    let rows = count.next_power_of_two().min(MOST_ROWS);
    (rows, count.div_ceil(rows))
}

#[test]
fn a_set_that_is_not_full_repeats_its_last_package() {
    let packages = packages(3);
    let set = values(&packages.iter().collect::<Vec<_>>(), 4);
    let names: Vec<_> = set.iter().filter_map(SqlParameter::name).collect();
    assert_eq!(names, ["name0", "version0", "name1", "version1", "name2", "version2", "name3", "version3"]);
    let last: Vec<_> = set[4..].iter().step_by(2).filter_map(SqlParameter::value).collect();
    assert_eq!(last, [&Field::StringValue("p2".into()), &Field::StringValue("p2".into())]);
}

#[test]
fn statements_name_their_values_and_hold_none() {
    assert_eq!(
        add_packages(2),
        "INSERT IGNORE INTO package (package_name, package_version) VALUES (:name0, :version0), (:name1, :version1)"
    );
    assert!(add_relations(1).contains("VALUES (:id, :name0, :version0) ON DUPLICATE KEY UPDATE"));
    assert!(FIND.ends_with(&PAGE.to_string()));
}

#[test]
fn dates_have_the_guide_s_form() {
    assert_eq!(date("2019-03-06 02:45:32"), "2019-03-06 02:45:32.0");
    assert_eq!(date("2019-03-06 02:45:32.0"), "2019-03-06 02:45:32.0");
}

#[tokio::test(start_paused = true)]
async fn a_resume_is_waited_for_until_the_end_and_an_absence_for_a_while() {
    let waited = async |fault: Fault| {
        let begun = Instant::now();
        let mut waiting = Waiting::new(begun + Duration::from_secs(25));
        while waiting.after(fault.clone(), false).await.is_ok() {}
        begun.elapsed().as_secs()
    };
    assert_eq!(waited(Fault::Resuming).await, 24);
    assert_eq!(waited(Fault::Contended("deadlock".into())).await, 24);
    assert!((7..=8).contains(&waited(Fault::Away("gone".into())).await));
    assert_eq!(waited(Fault::Broken("no table".into())).await, 0);
}

/// What the Data API answers to one call.
enum Answer {
    Json(Value),
    /// An error's status, code and message.
    Error(u16, &'static str, &'static str),
    /// The connection ends without an answer.
    Lost,
}

/// A Data API that plays a script, call by call; the calls it got, with the statement of those that have one.
struct Script {
    endpoint: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn of(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let calls = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, calls) = (answers.clone(), calls.clone());
                std::thread::spawn(move || while answer(stream.as_ref().unwrap(), &answers, &calls) {});
            }
        });
        Script { endpoint, seen }
    }

    /// Saves an instance with one package by the request `r-1`.
    async fn save(&self) -> Result<Saved, Unavailable> {
        let api = DataApi::new(DatabaseSettings {
            cluster_arn: "cluster".into(),
            secret_arn: "secret".into(),
            database: "lab".into(),
            region: "us-east-1".into(),
            endpoint: Some(self.endpoint.clone()),
            credentials: Credentials::new("key", "secret", None, None, "test"),
        });
        let daemon = Daemon::default();
        let until = Instant::now() + Duration::from_secs(5);
        let store = Store { api: &api, trace: Trace::of(&daemon, None), request: "r-1", until };
        let (id, region, account) = ("i-1".into(), "us-east-1".into(), "123456789012".into());
        store.save(&NewInstance { id, region, account, packages: packages(1) }).await
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// Answers one request; false at the end of the connection.
fn answer(stream: &TcpStream, answers: &Mutex<VecDeque<(&'static str, Answer)>>, seen: &Mutex<Vec<String>>) -> bool {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return false;
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let (expected, answer) = answers.lock().unwrap().pop_front().expect("the script has ended");
    assert_eq!(path, expected);
    seen.lock().unwrap().push(path);
    let (status, kind, body) = match answer {
        Answer::Json(body) => (200, String::new(), body),
        Answer::Error(status, code, message) => {
            (status, format!("x-amzn-errortype: {code}\r\n"), json!({"message": message}))
        }
        Answer::Lost => return false,
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} x\r\n{kind}content-type: application/json\r\ncontent-length: {}", body.len());
    let mut stream = stream;
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).is_ok()
}

const BEGIN: &str = "/BeginTransaction";
const COMMIT: &str = "/CommitTransaction";
const ROLLBACK: &str = "/RollbackTransaction";
const DUPLICATE: Answer =
    Answer::Error(400, "DatabaseErrorException", "Database error code: 1062. Message: Duplicate entry");
const GONE: Answer = Answer::Error(404, "TransactionNotFoundException", "Transaction t is not found");

fn begun() -> (&'static str, Answer) {
    (BEGIN, Answer::Json(json!({"transactionId": "t"})))
}

/// The statements of a transaction that go well.
fn filled() -> [(&'static str, Answer); 4] {
    let batch = || ("/BatchExecute", Answer::Json(json!({"updateResults": []})));
    [begun(), ("/Execute", Answer::Json(json!({"numberOfRecordsUpdated": 1}))), batch(), batch()]
}

fn committed() -> (&'static str, Answer) {
    (COMMIT, Answer::Json(json!({"transactionStatus": "Transaction Committed"})))
}

fn rolled_back() -> (&'static str, Answer) {
    (ROLLBACK, Answer::Json(json!({"transactionStatus": "Rollback Complete"})))
}

#[tokio::test]
async fn an_instance_is_stored_in_five_calls() {
    let script = Script::of(filled().into_iter().chain([committed()]));
    assert_eq!(script.save().await, Ok(Saved::New));
    assert_eq!(script.seen(), [BEGIN, "/Execute", "/BatchExecute", "/BatchExecute", COMMIT]);
}

#[tokio::test]
async fn a_known_id_is_rolled_back_at_once() {
    let script = Script::of([begun(), ("/Execute", DUPLICATE), rolled_back()]);
    assert_eq!(script.save().await, Ok(Saved::Known));
    assert_eq!(script.seen().len(), 3);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_counts_when_the_row_names_this_request() {
    for (stored_by, saved) in [("r-1", Saved::New), ("somebody else", Saved::Known)] {
        let row = json!({"records": [[{"stringValue": stored_by}]]});
        let again = [begun(), ("/Execute", DUPLICATE), rolled_back(), ("/Execute", Answer::Json(row))];
        let lost = [(COMMIT, Answer::Lost), (ROLLBACK, GONE)];
        let script = Script::of(filled().into_iter().chain(lost).chain(again));
        assert_eq!(script.save().await, Ok(saved), "{stored_by}");
        assert_eq!(script.seen().len(), 10);
    }
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_made_up_for_by_a_second_transaction() {
    let lost = [(COMMIT, Answer::Lost), rolled_back()];
    let script = Script::of(filled().into_iter().chain(lost).chain(filled()).chain([committed()]));
    assert_eq!(script.save().await, Ok(Saved::New));
    assert_eq!(script.seen().len(), 11);
}

#[tokio::test]
async fn a_deadlock_begins_again_and_a_throttled_call_does_not() {
    let busy = || Answer::Error(400, "ThrottlingException", "Rate exceeded");
    let deadlock = Answer::Error(400, "DatabaseErrorException", "Database error code: 1213. Message: Deadlock found");
    let [begin, instance, ..] = filled();
    let first = [begin, instance, ("/BatchExecute", deadlock), (ROLLBACK, busy()), rolled_back()];
    let [begin, instance, packages, relations] = filled();
    let second = [begin, ("/Execute", busy()), instance, packages, ("/BatchExecute", busy()), relations];
    let script = Script::of(first.into_iter().chain(second).chain([(COMMIT, busy()), committed()]));
    assert_eq!(script.save().await, Ok(Saved::New));
    assert_eq!(script.seen().iter().filter(|call| *call == BEGIN).count(), 2);
}

#[tokio::test]
async fn what_is_given_up_says_why_and_whether_it_may_be_stored() {
    let resuming = || (BEGIN, Answer::Error(400, "DatabaseResumingException", "is resuming after being auto-paused"));
    let script = Script::of(std::iter::repeat_with(resuming).take(30));
    assert_eq!(script.save().await, Err(Unavailable { resuming: true, perhaps_stored: false }));
    let broken = Answer::Error(400, "DatabaseErrorException", "Database error code: 1146. Message: no such table");
    let script = Script::of([begun(), ("/Execute", broken), rolled_back()]);
    assert_eq!(script.save().await, Err(Unavailable { resuming: false, perhaps_stored: false }));
    let forbidden = (BEGIN, Answer::Error(403, "AccessDeniedException", "no"));
    let script = Script::of(filled().into_iter().chain([(COMMIT, Answer::Lost), (ROLLBACK, GONE), forbidden]));
    assert_eq!(script.save().await, Err(Unavailable { resuming: false, perhaps_stored: true }));
}
