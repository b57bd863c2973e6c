//! X-Ray subsegments over UDP to the daemon that Lambda runs beside a function.
//!
//! A trace is a convenience: a missing daemon, header or network costs the request nothing and fails nothing.
//! Documents: <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>.

use std::net::{SocketAddr, UdpSocket};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// What goes before each document.
const HEADER: &str = "{\"format\": \"json\", \"version\": 1}\n";

/// Where subsegments are sent; kept for the life of the process.
#[derive(Default)]
pub struct Daemon {
    to: Option<(UdpSocket, SocketAddr)>,
}

impl Daemon {
    /// From `AWS_XRAY_DAEMON_ADDRESS`: `host:port`, or `udp:host:port tcp:host:port`.
    pub fn of(address: Option<&str>) -> Self {
        let udp = address.and_then(|text| {
            let mut words = text.split_whitespace();
            words.clone().find_map(|word| word.strip_prefix("udp:")).or_else(|| words.next())
        });
        let to = udp.and_then(|text| text.parse::<SocketAddr>().ok()).and_then(|daemon| {
            let own: SocketAddr = if daemon.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
            let socket = UdpSocket::bind(own).ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket, daemon))
        });
        Daemon { to }
    }
}

/// The trace of one invocation. Silent where the invocation is not sampled.
pub struct Trace<'d> {
    parent: Option<(&'d Daemon, Parent)>,
}

/// Of `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.
#[derive(Debug, PartialEq)]
struct Parent {
    trace: String,
    segment: String,
}

impl Parent {
    /// `None` of a header that asks for no trace, or that is none.
    fn of(header: &str) -> Option<Self> {
        let member = |name: &str| {
            header.split(';').find_map(|part| part.trim().split_once('=').filter(|(key, _)| *key == name)?.1.into())
        };
        let sampled = member("Sampled") == Some("1");
        let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let trace = member("Root").filter(|root| match root.split('-').collect::<Vec<_>>()[..] {
            ["1", time, rest] => is_hex(time, 8) && is_hex(rest, 24),
            _ => false,
        });
        let segment = member("Parent").filter(|id| is_hex(id, 16));
        match (sampled, trace, segment) {
            (true, Some(trace), Some(segment)) => Some(Parent { trace: trace.into(), segment: segment.into() }),
            _ => None,
        }
    }
}

/// A call to an AWS service, being timed.
pub struct Call {
    operation: &'static str,
    begun: f64,
    /// The statement of a call that has one, never its values.
    statement: Option<String>,
    /// How many parameter sets a batch carries.
    sets: Option<usize>,
}

/// How a call ended.
#[derive(Default)]
pub struct Ended<'e> {
    pub request_id: Option<&'e str>,
    pub status: Option<u16>,
    /// The error's code. Its message is left out: it can quote a value.
    pub error: Option<&'e str>,
}

impl Call {
    pub fn begin(operation: &'static str) -> Self {
        Call { operation, begun: now(), statement: None, sets: None }
    }

    pub fn statement(self, sql: &str) -> Self {
        Call { statement: Some(sql.to_owned()), ..self }
    }

    pub fn sets(self, count: usize) -> Self {
        Call { sets: Some(count), ..self }
    }
}

impl<'d> Trace<'d> {
    /// From the invocation's `Lambda-Runtime-Trace-Id`.
    pub fn of(daemon: &'d Daemon, header: Option<&str>) -> Self {
        Trace { parent: header.and_then(Parent::of).filter(|_| daemon.to.is_some()).map(|parent| (daemon, parent)) }
    }

    /// Sends the subsegment of a call that has ended.
    pub fn sent(&self, call: &Call, ended: &Ended<'_>) {
        let Some((daemon, parent)) = &self.parent else { return };
        let Some((socket, to)) = &daemon.to else { return };
        let document = document(parent, call, ended, fastrand::u64(1..), now());
        // Full buffers and unreachable daemons lose a subsegment, and nothing else.
        let _ = socket.send_to(format!("{HEADER}{document}").as_bytes(), to);
    }
}

fn document(parent: &Parent, call: &Call, ended: &Ended<'_>, id: u64, end: f64) -> Value {
    let mut document = json!({
        "type": "subsegment", "name": "rds-data", "namespace": "aws", "id": format!("{id:016x}"),
        "trace_id": parent.trace, "parent_id": parent.segment, "start_time": call.begun, "end_time": end,
    });
    let mut aws = Map::from_iter([("operation".to_owned(), call.operation.into())]);
    aws.extend(ended.request_id.map(|id| ("request_id".to_owned(), id.into())));
    document["aws"] = aws.into();
    if let Some(status) = ended.status {
        document["http"] = json!({"response": {"status": status}});
    }
    if let Some(statement) = &call.statement {
        document["sql"] = json!({"sanitized_query": statement, "database_type": "MySQL", "preparation": "statement"});
    }
    if let Some(sets) = call.sets {
        document["metadata"] = json!({"data_api": {"parameter_sets": sets}});
    }
    if let Some(code) = ended.error {
        let kind = match ended.status {
            // The Data API throttles with 400.
            Some(400..=499) if code.starts_with("Throttling") || code.starts_with("TooManyRequests") => "throttle",
            Some(400..=499) => "error",
            _ => "fault",
        };
        document[kind] = true.into();
        if kind == "throttle" {
            document["error"] = true.into();
        }
        document["cause"] = json!({"exceptions": [{"id": format!("{:016x}", !id), "type": code}]});
    }
    document
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {

    use std::time::Duration;

    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
    const SAMPLED: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    /// A daemon that listens, and the function's side of it.
    fn daemon() -> (UdpSocket, Daemon) {
        let listens = UdpSocket::bind("127.0.0.1:0").unwrap();
        listens.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let address = listens.local_addr().unwrap().to_string();
        (listens, Daemon::of(Some(&address)))
    }

    fn received(daemon: &UdpSocket) -> Value {
        let mut buffer = vec![0; 65_536];
        let length = daemon.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        serde_json::from_str(text.strip_prefix(HEADER).unwrap()).unwrap()
    }

    #[test]
    fn a_call_is_a_subsegment_with_its_statement_below_the_function_s_segment() {
        let (listens, daemon) = daemon();
        let trace = Trace::of(&daemon, Some(SAMPLED));
        let call = Call::begin("BatchExecuteStatement").statement("INSERT INTO package VALUES (:name0)").sets(4);
        trace.sent(&call, &Ended { request_id: Some("r-1"), status: Some(200), error: None });
        let sent = received(&listens);
        assert_eq!(
            (&sent["trace_id"], &sent["parent_id"], &sent["type"]),
            (&json!(ROOT), &json!("53995c3f42cd8ad8"), &json!("subsegment"))
        );
        assert_eq!(sent["sql"]["sanitized_query"], "INSERT INTO package VALUES (:name0)");
        assert_eq!(
            (&sent["aws"]["operation"], &sent["aws"]["request_id"]),
            (&json!("BatchExecuteStatement"), &json!("r-1"))
        );
        assert_eq!(sent["metadata"]["data_api"]["parameter_sets"], 4);
        assert!(sent["end_time"].as_f64() >= sent["start_time"].as_f64());
        assert!(sent["id"].as_str().is_some_and(|id| id.len() == 16 && id != "0000000000000000"));
        assert!(sent.get("error").is_none() && sent.get("fault").is_none() && sent.get("cause").is_none());
    }

    #[test]
    fn a_failure_is_an_error_a_throttle_or_a_fault_with_its_code() {
        let parent = Parent::of(SAMPLED).unwrap();
        let of = |status, code| {
            document(
                &parent,
                &Call::begin("CommitTransaction"),
                &Ended { request_id: None, status, error: Some(code) },
                7,
                1.0,
            )
        };
        let refused = of(Some(400), "DatabaseErrorException 1062");
        assert_eq!(
            (&refused["error"], &refused["cause"]["exceptions"][0]["type"]),
            (&json!(true), &json!("DatabaseErrorException 1062"))
        );
        let throttled = of(Some(400), "ThrottlingException");
        assert_eq!((&throttled["throttle"], &throttled["error"]), (&json!(true), &json!(true)));
        assert_eq!(of(Some(503), "ServiceUnavailableError")["fault"], true);
        assert_eq!(of(None, "no answer")["fault"], true);
    }

    #[test]
    fn nothing_is_sent_without_a_sampled_header_or_a_daemon() {
        let (listens, daemon) = daemon();
        let unsampled = SAMPLED.replace("Sampled=1", "Sampled=0");
        let short = SAMPLED.replace("Parent=53995c3f42cd8ad8", "Parent=53");
        let lineless = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
        for header in [None, Some(&*unsampled), Some(&*short), Some(lineless), Some("Root=x;Sampled=1"), Some("")] {
            let trace = Trace::of(&daemon, header);
            assert!(trace.parent.is_none(), "{header:?}");
            trace.sent(&Call::begin("BeginTransaction"), &Ended::default());
        }
        // Lambda writes more members than these into the header.
        let trace = Trace::of(&daemon, Some(&format!("{SAMPLED};Lineage=1:a:0")));
        trace.sent(&Call::begin("CommitTransaction"), &Ended::default());
        assert_eq!(received(&listens)["aws"]["operation"], "CommitTransaction", "the first that arrives");
        for address in [None, Some(""), Some("nowhere"), Some("127.0.0.1")] {
            let daemon = Daemon::of(address);
            Trace::of(&daemon, Some(SAMPLED)).sent(&Call::begin("BeginTransaction"), &Ended::default());
        }
    }

    #[test]
    fn both_forms_of_the_daemon_s_address_are_read() {
        for address in ["127.0.0.1:2000", "tcp:127.0.0.1:3000 udp:127.0.0.1:2000", "udp:127.0.0.1:2000"] {
            let daemon = Daemon::of(Some(address));
            assert_eq!(daemon.to.unwrap().1.port(), 2000, "{address}");
        }
    }
}
