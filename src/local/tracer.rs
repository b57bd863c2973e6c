//! How the services of the local cloud are traced. On AWS a service that serves a request hands what it has seen to an X-Ray daemon
//! beside it, and takes from there which requests to look at; neither may slow the request. So it is here: the one thing that
//! services reach past the dispatcher, a [`Recorder`] that X-Ray sets, which never waits.

use std::fmt;
use std::net::SocketAddr;

use serde_json::Value;

use super::clock::Timestamp;
use super::ids::Ids;

/// Name of the header that carries a trace from service to service, as hyper has it.
pub const TRACE_HEADER: &str = "x-amzn-trace-id";

/// What X-Ray does for the other services. No method waits for anything.
pub trait Recorder: Send + Sync + 'static {
    /// Whether a request without a decision is looked at: the sampling rules of its region tell.
    fn samples(&self, region: &str, request: &Request<'_>) -> bool;

    /// Takes a segment document. With too many under way it is lost, and counted.
    fn record(&self, region: &str, document: Value);

    /// Where programs in `region` send their own documents; `None`: nowhere.
    fn daemon(&self, region: &str) -> Option<SocketAddr>;
}

/// A request as sampling rules see it. <https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html>
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The name of the segment to come.
    pub service: &'r str,
    /// `AWS::Lambda`, `AWS::ApiGateway::Stage`.
    pub kind: &'r str,
    pub arn: &'r str,
    pub host: &'r str,
    pub method: &'r str,
    pub path: &'r str,
}

/// `Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceHeader {
    pub root: String,
    /// The segment or subsegment from which the request comes.
    pub parent: Option<String>,
    /// `None`: nobody has decided yet.
    pub sampled: Option<bool>,
}

impl TraceHeader {
    /// A trace that begins here and now.
    pub fn begin(now: Timestamp, ids: &Ids) -> Self {
        TraceHeader { root: format!("1-{:08x}-{}", now.seconds(), ids.hex(24)), parent: None, sampled: None }
    }

    /// Reads a header. What is no trace id is nothing at all; parts that nobody knows (`Self`, `Lineage`) are passed over.
    pub fn parse(text: &str) -> Option<Self> {
        let mut header = TraceHeader { root: String::new(), parent: None, sampled: None };
        for (name, value) in text.split(';').filter_map(|part| part.trim().split_once('=')) {
            match name {
                "Root" if is_trace_id(value) => header.root = value.to_owned(),
                "Parent" if is_segment_id(value) => header.parent = Some(value.to_owned()),
                "Sampled" if value == "1" => header.sampled = Some(true),
                "Sampled" if value == "0" => header.sampled = Some(false),
                _ => {}
            }
        }
        (!header.root.is_empty()).then_some(header)
    }

    /// The same trace, seen from `parent`.
    #[must_use]
    pub fn below(&self, parent: &str) -> Self {
        TraceHeader { parent: Some(parent.to_owned()), ..self.clone() }
    }
}

impl fmt::Display for TraceHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root={}", self.root)?;
        self.parent.iter().try_for_each(|parent| write!(f, ";Parent={parent}"))?;
        self.sampled.iter().try_for_each(|sampled| write!(f, ";Sampled={}", u8::from(*sampled)))
    }
}

/// `1-` and the time in 8, the rest in 24 hexadecimal digits.
pub fn is_trace_id(text: &str) -> bool {
    let mut parts = text.split('-');
    let fits = |part: Option<&str>, length| part.is_some_and(|part| is_hexadecimal(part, length));
    parts.next() == Some("1") && fits(parts.next(), 8) && fits(parts.next(), 24) && parts.next().is_none()
}

/// 16 hexadecimal digits.
pub fn is_segment_id(text: &str) -> bool {
    is_hexadecimal(text, 16)
}

fn is_hexadecimal(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Microseconds since the epoch as a segment document has them.
pub fn seconds(micros: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 fit a double's 53 bits until 2255")]
    let micros = micros as f64;
    micros / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_far_as_it_is_one() {
        let text = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1";
        let header = TraceHeader::parse(text).unwrap();
        assert_eq!(header.to_string(), text);
        assert_eq!(header.below("0000000000000001").parent.as_deref(), Some("0000000000000001"));
        let odd = "Self=1-1; Root=1-67891233-abcdef012345678912345678 ;Parent=zz;Sampled=?;Lineage=a:1|b:0";
        let odd = TraceHeader::parse(&odd.replace(" ;", ";")).unwrap();
        assert_eq!(odd.to_string(), "Root=1-67891233-abcdef012345678912345678");
        for bad in ["", "Root=", "Root=1-2-3", "Sampled=1", "Root=2-67891233-abcdef012345678912345678", "1-67891233"] {
            assert_eq!(TraceHeader::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_trace_begins_with_the_time_in_its_id() {
        let header = TraceHeader::begin(Timestamp::from_millis(1_480_615_200_000), &Ids::Random);
        assert!(header.root.starts_with("1-58406520-") && is_trace_id(&header.root), "{header}");
    }
}
