//! What GetTraceSummaries says of a trace.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::assemble::{Assembled, Flags, Segment, each_subsegment, subsegments, text};
use super::store::Found;
use crate::scope::ACCOUNT;

/// Name and type of a service, in the model's words.
pub(super) fn service_id(segment: &Segment) -> Value {
    let mut id = json!({"Name": segment.name, "Names": [segment.name], "AccountId": ACCOUNT});
    if let Some(origin) = &segment.origin {
        id["Type"] = json!(origin);
    }
    id
}

/// The trace's summary. Root causes of response times are X-Ray's own analysis and stay away.
pub(super) fn of(found: &Found, trace: &Assembled) -> Value {
    let root = trace.root();
    let flags = root.map(|root| root.flags).unwrap_or_default();
    let mut summary = json!({
        "Id": trace.id,
        "StartTime": trace.start(),
        "Duration": trace.duration(),
        "HasFault": flags.fault,
        "HasError": flags.error,
        "HasThrottle": trace.segments.iter().any(|segment| segment.flags.throttle),
        "IsPartial": trace.partial,
        "Http": root.map(http).unwrap_or_default(),
        "Annotations": annotations(trace),
        "Users": users(trace),
        "ServiceIds": distinct(trace.segments.iter().map(service_id)),
        "ResourceARNs": distinct(named(trace, |segment| segment["resource_arn"].as_str(), "ARN")),
        "InstanceIds": distinct(named(trace, |segment| segment["aws"]["ec2"]["instance_id"].as_str(), "Id")),
        "AvailabilityZones": distinct(named(trace, |segment| segment["aws"]["ec2"]["availability_zone"].as_str(), "Name")),
        "FaultRootCauses": root_causes(trace, |flags| flags.fault),
        "ErrorRootCauses": root_causes(trace, |flags| flags.error),
        "Revision": found.revision,
    });
    if let Some(time) = trace.response_time() {
        summary["ResponseTime"] = json!(time);
    }
    if let Some(root) = root {
        summary["EntryPoint"] = service_id(root);
    }
    summary
}

fn http(root: &Segment) -> Value {
    let http = &root.document["http"];
    let members = [
        ("HttpURL", &http["request"]["url"]),
        ("HttpStatus", &http["response"]["status"]),
        ("HttpMethod", &http["request"]["method"]),
        ("UserAgent", &http["request"]["user_agent"]),
        ("ClientIp", &http["request"]["client_ip"]),
    ];
    let fits = |name: &str, value: &Value| if name == "HttpStatus" { value.is_u64() } else { value.is_string() };
    let found = members.into_iter().filter(|(name, value)| fits(name, value));
    Value::Object(found.map(|(name, value)| (name.to_owned(), value.clone())).collect())
}

/// By key, every value with the services that gave it.
fn annotations(trace: &Assembled) -> Value {
    let mut found: Map<String, Value> = Map::new();
    for segment in &trace.segments {
        let mut note = |node: &Value| {
            for (key, value) in node["annotations"].as_object().into_iter().flatten() {
                let value = match value {
                    Value::String(text) => json!({"StringValue": text}),
                    Value::Bool(boolean) => json!({"BooleanValue": boolean}),
                    Value::Number(number) => json!({"NumberValue": number}),
                    // Nothing else is indexed.
                    _ => continue,
                };
                let Some(values) = found.entry(key.clone()).or_insert_with(|| json!([])).as_array_mut() else {
                    continue;
                };
                add(values, "AnnotationValue", value, segment);
            }
        };
        note(&segment.document);
        each_subsegment(&segment.document, &mut note);
    }
    Value::Object(found)
}

fn users(trace: &Assembled) -> Value {
    let mut found = Vec::new();
    for segment in &trace.segments {
        if let Some(user) = segment.document["user"].as_str() {
            add(&mut found, "UserName", json!(user), segment);
        }
    }
    Value::Array(found)
}

/// Adds `segment`'s service to those that gave `value`.
fn add(values: &mut Vec<Value>, name: &str, value: Value, segment: &Segment) {
    let service = service_id(segment);
    match values.iter_mut().find(|there| there[name] == value) {
        None => values.push(json!({name: value, "ServiceIds": [service]})),
        Some(there) => {
            if let Some(services) = there["ServiceIds"].as_array_mut().filter(|services| !services.contains(&service)) {
                services.push(service);
            }
        }
    }
}

fn named<'t>(
    trace: &'t Assembled,
    of: impl Fn(&'t Value) -> Option<&'t str> + 't,
    name: &'t str,
) -> impl Iterator<Item = Value> + 't {
    trace.segments.iter().filter_map(move |segment| of(&segment.document)).map(move |value| json!({name: value}))
}

fn distinct(values: impl Iterator<Item = Value>) -> Value {
    let mut found: Vec<Value> = Vec::new();
    values.for_each(|value| {
        if !found.contains(&value) {
            found.push(value);
        }
    });
    Value::Array(found)
}

/// From the root down to the deepest segment in which something went wrong, with the path within each.
fn root_causes(trace: &Assembled, wrong: fn(Flags) -> bool) -> Value {
    let leads = leads_to(trace, wrong);
    let (mut services, mut next) = (Vec::new(), trace.root());
    while let Some(segment) = next.filter(|segment| leads.contains(segment.id.as_str())) {
        let mut path = vec![entity(&segment.document)];
        let mut node = &segment.document;
        while let Some(below) = subsegments(node).iter().find(|below| leads.contains(id(below))) {
            path.push(entity(below));
            node = below;
        }
        let mut service = service_id(segment);
        service["EntityPath"] = json!(path);
        service["Inferred"] = json!(segment.inferred);
        services.push(service);
        // Segments that call each other have no end.
        let more = services.len() < trace.segments.len();
        next = trace.called_by(id(node)).find(|called| more && leads.contains(called.id.as_str()));
    }
    if services.is_empty() {
        return json!([]);
    }
    let impacting = trace.root().is_some_and(|root| wrong(root.flags));
    json!([{"Services": services, "ClientImpacting": impacting}])
}

fn id(node: &Value) -> &str {
    node["id"].as_str().unwrap_or_default()
}

/// The ids of segments and subsegments in which, or below which, something went wrong.
fn leads_to(trace: &Assembled, wrong: fn(Flags) -> bool) -> HashSet<&str> {
    let (mut parents, mut guilty) = (HashMap::new(), Vec::new());
    for segment in &trace.segments {
        parents.extend(segment.parent.as_deref().map(|parent| (segment.id.as_str(), parent)));
        let mut nodes = vec![&segment.document];
        while let Some(node) = nodes.pop() {
            guilty.extend(wrong(Flags::of(node)).then(|| id(node)));
            parents.extend(subsegments(node).iter().map(|below| (id(below), id(node))));
            nodes.extend(subsegments(node));
        }
    }
    let mut leads = HashSet::new();
    for start in guilty {
        let mut next = Some(start);
        while let Some(at) = next.filter(|at| leads.insert(*at)) {
            next = parents.get(at).copied();
        }
    }
    leads
}

fn entity(node: &Value) -> Value {
    let exceptions = node["cause"]["exceptions"].as_array().into_iter().flatten();
    let exceptions: Vec<Value> = exceptions
        .map(|exception| json!({"Name": text(exception, "type"), "Message": text(exception, "message")}))
        .collect();
    json!({"Name": text(node, "name"), "Exceptions": exceptions, "Remote": node["namespace"] == "remote"})
}
