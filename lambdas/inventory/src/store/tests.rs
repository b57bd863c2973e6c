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
fn a_thousand_packages_are_five_sets_in_one_order_and_say_what_they_said() {
    let mut given = packages(1000);
    given.swap(3, 700);
    given[0].package_name = "quote \" backslash \\ tab \t \u{1} é 😀 ' :id".into();
    let sets: Vec<Vec<Package>> = batches(&given).iter().map(read).collect();
    assert_eq!(sets.iter().map(Vec::len).collect::<Vec<_>>(), [200; 5]);
    given.sort_unstable();
    assert_eq!(sets.concat(), given);
    assert_eq!(batches(&packages(201)).iter().map(read).map(|set| set.len()).collect::<Vec<_>>(), [200, 1]);
}

fn read(parameter: &SqlParameter) -> Vec<Package> {
    assert_eq!(parameter.name(), Some("packages"));
    let Some(Field::StringValue(document)) = parameter.value() else { panic!("{parameter:?}") };
    let packages: Vec<Value> = serde_json::from_str(document).unwrap();
    let text = |package: &Value, name: &str| package[name].as_str().unwrap().to_owned();
    let package = |package| Package {
        package_name: text(package, "package_name"),
        package_version: text(package, "package_version"),
    };
    packages.iter().map(package).collect()
}

#[test]
fn a_page_is_as_long_as_its_statement_says() {
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
