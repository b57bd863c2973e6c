//! Whether a trace fits a filter.

use serde_json::Value;

use super::parse::{Filter, Flag, Match, Node, Number, Order, TextOf, Wanted};
use crate::scope::ACCOUNT;
use crate::services::xray::assemble::{Assembled, Flags, Segment, each_subsegment};

/// What a condition is about: "simple keywords only find issues at the trace level", within braces they are about a segment.
#[derive(Clone, Copy)]
enum Subject<'t> {
    Trace,
    Segment(&'t Segment),
}

impl Filter {
    pub(in crate::services::xray) fn fits(&self, trace: &Assembled) -> bool {
        Test { trace }.holds(self, Subject::Trace)
    }
}

struct Test<'t> {
    trace: &'t Assembled,
}

impl<'t> Test<'t> {
    fn holds(&self, filter: &Filter, subject: Subject<'t>) -> bool {
        match filter {
            Filter::All(parts) => parts.iter().all(|part| self.holds(part, subject)),
            Filter::Any(parts) => parts.iter().any(|part| self.holds(part, subject)),
            Filter::Not(part) => !self.holds(part, subject),
            Filter::Flag(flag) => self.flag(*flag, subject),
            Filter::Number(number, order, wanted) => {
                self.number(*number, subject).is_some_and(|found| order.holds(found, *wanted))
            }
            Filter::Text(text, how, wanted) => self.texts(*text, subject).iter().any(|found| how.holds(found, wanted)),
            Filter::Annotation(key, wanted) => self.annotations(key).iter().any(|found| wanted.holds(found)),
            Filter::Service(node, inner) => {
                let meant = self.trace.segments.iter().filter(|segment| node.is(segment));
                meant.into_iter().any(|segment| self.inner(inner.as_deref(), segment))
            }
            Filter::Edge(from, to, inner) => {
                let meant = self.trace.segments.iter().filter(|segment| {
                    to.is(segment) && self.trace.caller(segment).is_some_and(|caller| from.is(caller))
                });
                meant.into_iter().any(|segment| self.inner(inner.as_deref(), segment))
            }
        }
    }

    fn inner(&self, filter: Option<&Filter>, segment: &'t Segment) -> bool {
        filter.is_none_or(|filter| self.holds(filter, Subject::Segment(segment)))
    }

    /// The segment that simple keywords are about.
    fn main(&self, subject: Subject<'t>) -> Option<&'t Segment> {
        match subject {
            Subject::Trace => self.trace.root(),
            Subject::Segment(segment) => Some(segment),
        }
    }

    fn flag(&self, flag: Flag, subject: Subject<'t>) -> bool {
        let flags = self.main(subject).map(|segment| segment.flags);
        let says = |of: fn(Flags) -> bool| flags.is_some_and(of);
        let some = |of: fn(&Segment) -> bool| match subject {
            Subject::Trace => self.trace.segments.iter().any(of),
            Subject::Segment(segment) => of(segment),
        };
        match flag {
            Flag::Ok => says(Flags::is_ok),
            Flag::Error => says(|flags| flags.error),
            Flag::Fault => says(|flags| flags.fault),
            // "HasThrottle: One or more of the segment documents has a 429 throttling error."
            Flag::Throttle => some(|segment| segment.flags.throttle),
            Flag::Inferred => some(|segment| segment.inferred),
            Flag::Remote => some(|segment| segment.origin.as_deref() == Some("remote")),
            Flag::Partial => match subject {
                Subject::Trace => self.trace.partial,
                Subject::Segment(segment) => segment.end.is_none(),
            },
            Flag::Root => match subject {
                Subject::Trace => true,
                Subject::Segment(segment) => self.trace.root().is_some_and(|root| root.id == segment.id),
            },
        }
    }

    fn number(&self, number: Number, subject: Subject<'t>) -> Option<f64> {
        match (number, subject) {
            (Number::Duration, Subject::Trace) => Some(self.trace.duration()),
            (Number::ResponseTime | Number::Duration, _) => self.main(subject)?.duration(),
            (Number::Status, _) => self.main(subject)?.document["http"]["response"]["status"].as_f64(),
        }
    }

    fn texts(&self, text: TextOf, subject: Subject<'t>) -> Vec<&'t str> {
        let request = |name: &str| {
            let value = self.main(subject).map(|segment| &segment.document["http"]["request"][name]);
            value.and_then(Value::as_str).into_iter().collect()
        };
        let all = |of: fn(&Segment) -> Option<&str>| match subject {
            Subject::Trace => self.trace.segments.iter().filter_map(of).collect(),
            Subject::Segment(segment) => of(segment).into_iter().collect(),
        };
        match text {
            TextOf::Url => request("url"),
            TextOf::Method => request("method"),
            TextOf::UserAgent => request("user_agent"),
            TextOf::ClientIp => request("client_ip"),
            TextOf::User => all(|segment| segment.document["user"].as_str()),
            TextOf::Name => all(|segment| Some(segment.name.as_str())),
            TextOf::Type => all(|segment| segment.origin.as_deref()),
            TextOf::Zone => all(|segment| segment.document["aws"]["ec2"]["availability_zone"].as_str()),
            TextOf::Instance => all(|segment| segment.document["aws"]["ec2"]["instance_id"].as_str()),
            TextOf::Arn => all(|segment| segment.document["resource_arn"].as_str()),
            TextOf::Message => match subject {
                Subject::Trace => self.trace.segments.iter().flat_map(messages).collect(),
                Subject::Segment(segment) => messages(segment),
            },
        }
    }

    fn annotations(&self, key: &str) -> Vec<&'t Value> {
        let mut found = Vec::new();
        for segment in &self.trace.segments {
            found.extend(segment.document["annotations"].get(key));
            each_subsegment(&segment.document, &mut |subsegment| found.extend(subsegment["annotations"].get(key)));
        }
        found
    }
}

/// The messages of the exceptions of a segment and its subsegments.
fn messages(segment: &Segment) -> Vec<&str> {
    let mut found = Vec::new();
    collect(&segment.document, &mut found);
    each_subsegment(&segment.document, &mut |subsegment| collect(subsegment, &mut found));
    found
}

fn collect<'v>(node: &'v Value, found: &mut Vec<&'v str>) {
    let exceptions = node["cause"]["exceptions"].as_array().into_iter().flatten();
    found.extend(exceptions.filter_map(|exception| exception["message"].as_str()));
}

impl Node {
    fn is(&self, segment: &Segment) -> bool {
        let fits =
            |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
        fits(&self.name, Some(&segment.name))
            && fits(&self.kind, segment.origin.as_deref())
            && fits(&self.account, Some(ACCOUNT))
    }
}

impl Order {
    fn holds(self, found: f64, wanted: f64) -> bool {
        match self {
            Order::Equal => found == wanted,
            Order::NotEqual => found != wanted,
            Order::Less => found < wanted,
            Order::AtMost => found <= wanted,
            Order::More => found > wanted,
            Order::AtLeast => found >= wanted,
        }
    }
}

impl Match {
    fn holds(self, found: &str, wanted: &str) -> bool {
        match self {
            Match::Equal => found == wanted,
            Match::NotEqual => found != wanted,
            Match::Contains => found.contains(wanted),
            Match::Begins => found.starts_with(wanted),
            Match::Ends => found.ends_with(wanted),
        }
    }
}

impl Wanted {
    fn holds(&self, found: &Value) -> bool {
        match self {
            Wanted::Present => true,
            Wanted::Number(order, wanted) => found.as_f64().is_some_and(|found| order.holds(found, *wanted)),
            Wanted::Text(how, wanted) => found.as_str().is_some_and(|found| how.holds(found, wanted)),
            Wanted::Boolean(wanted) => found.as_bool() == Some(*wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::services::xray::faults::XRayFault;
    use crate::services::xray::filter::parse;

    fn trace() -> Assembled {
        let id = "1-6b49d200-000000000000000000000001";
        let documents = [
            json!({"id": "a", "name": "api/dev", "origin": "AWS::ApiGateway::Stage", "start_time": 1.0, "end_time": 4.0,
                "resource_arn": "arn:aws:apigateway:us-east-1::/restapis/x/stages/dev",
                "http": {"request": {"url": "https://x.example/v2/heroes", "method": "POST", "client_ip": "127.0.0.1",
                    "user_agent": "curl/8"}, "response": {"status": 200}},
                "subsegments": [{"id": "b", "name": "Lambda", "start_time": 1.5, "end_time": 3.5, "namespace": "aws"}]}),
            json!({"id": "c", "name": "f", "origin": "AWS::Lambda", "parent_id": "b", "start_time": 2.0, "end_time": 3.0,
                "http": {"response": {"status": 429}}, "user": "ada"}),
            json!({"id": "d", "name": "f", "origin": "AWS::Lambda::Function", "parent_id": "c", "start_time": 2.0,
                "end_time": 5.0, "fault": true, "cause": {"exceptions": [{"message": "no such hero"}]},
                "subsegments": [{"id": "e", "name": "own", "start_time": 2.1, "end_time": 2.2,
                    "annotations": {"hero": "batman", "age": 30, "good": true, "aws:api_id": "x"}}]}),
        ];
        let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
        Assembled::of(id, texts.iter().map(String::as_str))
    }

    fn fits(expression: &str) -> bool {
        let group = |name: &str| (name == "faulty").then(|| "service(){fault}".to_owned());
        parse(expression, &group).unwrap_or_else(|fault| panic!("{expression}: {fault}")).fits(&trace())
    }

    #[test]
    fn the_guides_expressions_find_what_they_say() {
        let yes = [
            "",
            "ok",
            "ok = true",
            "!fault",
            "fault != true",
            "ok !partial duration <5",
            "responsetime = 3 AND duration >= 4",
            "http.status = 200",
            "http.status != 500",
            "http.url CONTAINS \"/v2/\" AND http.url BEGINSWITH \"https://\" AND http.url ENDSWITH 'heroes'",
            "http.method = \"POST\" AND http.clientip = \"127.0.0.1\" AND http.useragent CONTAINS \"curl\"",
            "user CONTAINS \"\"",
            "throttle",
            "service(\"f\")",
            "service(\"f\") { fault }",
            "service() { fault = true OR responsetime > 99 }",
            "service(id(name: \"f\", type: \"AWS::Lambda\")) { error AND !fault }",
            "service(id(type:\"AWS::Lambda::Function\")){fault}",
            "edge(\"api/dev\", \"f\") { throttle }",
            "edge(\"f\", id(type: \"AWS::Lambda::Function\"))",
            "!service(\"other\")",
            "annotation.hero = \"batman\"",
            "annotation[hero] BEGINSWITH \"bat\"",
            "annotation[aws:api_id] = \"x\"",
            "annotation.age > 29 AND annotation.good = true AND annotation[age]",
            "fault OR (ok AND service(\"f\"))",
            "message CONTAINS \"hero\"",
            "group.name = \"faulty\"",
            "resource.arn ENDSWITH \"/dev\" AND type = \"AWS::Lambda\" AND name = \"f\"",
        ];
        for expression in yes {
            assert!(fits(expression), "{expression}");
        }
        let no = [
            "fault",
            "error",
            "!ok",
            "partial",
            "http.status = 429",
            "duration < 4",
            "service(\"g\")",
            "service(\"api/dev\") { fault }",
            "edge(\"f\", \"api/dev\")",
            "annotation.hero = \"robin\"",
            "annotation.none",
            "annotation.age = \"30\"",
            "ok AND fault OR error",
            "group.name != \"faulty\"",
            "inferred",
        ];
        for expression in no {
            assert!(!fits(expression), "{expression}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let none = |_: &str| None;
        let cases = [
            ("falt", "`falt` is not a keyword"),
            ("http.status = \"200\"", "compared with a number"),
            ("http.url = 5", "compared with a text"),
            ("duration CONTAINS 5", "after `duration` comes one of"),
            ("service(\"f\"", "`)` is expected"),
            ("service(f)", "names no service"),
            ("service(\"f\") { annotation.x = 1 }", "annotation cannot be used"),
            ("ok AND", "it ends too early"),
            ("ok )", "`)` is not expected"),
            ("http.url = \"x", "has no end"),
            ("ok % 5", "`%` means nothing"),
            ("group.name = \"none\"", "no group none"),
        ];
        for (expression, why) in cases {
            let fault = parse(expression, &none).unwrap_err().to_string();
            assert!(fault.starts_with("Invalid filter expression: ") && fault.contains(why), "{expression}: {fault}");
        }
        for keyword in ["rootcause.service", "index = 1", "json CONTAINS \"x\""] {
            assert!(matches!(parse(keyword, &none), Err(XRayFault::Unsupported(_))), "{keyword}");
        }
        let deep = format!("{}ok{}", "(".repeat(500), ")".repeat(500));
        assert!(parse(&deep, &none).unwrap_err().to_string().contains("too deep"));
        assert!(parse(&"!".repeat(100_000), &none).is_err());
    }
}
