//! `docs/reference/local.md`: every operation of every service, as real, modelled or refused.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::cloud::Cloud;
use super::service::Grade;
use super::wire::model;

const HEAD: &str = "\
# What the local cloud does

Generated from the operation tables and the service models; `UPDATE_DOCS=1 tests/run reference` writes it anew.

- **real**: does what AWS does, on a real engine or as the protocol itself.
- **modelled**: kept as a record, with AWS's rules; nothing stands behind it.
- **refused**: AWS has it; here it is answered with `NotImplemented` (501) and its name.

A parameter that AWS's model does not have is refused by name with the service's validation error; one that AWS has and the
local cloud does not is refused by name with `NotImplemented`. Signatures are verified and trust policies decide who may
assume a role. Permissions in policies are checked for form; enforced are `rds-db:connect` at a database login, `rds-data:*` and
`secretsmanager:GetSecretValue` at the Data API, `execute-api:Invoke` on a route of an HTTP API that asks for AWS_IAM, a
function's policy when API Gateway calls it, and a bucket's policy for requests that nobody signed.

A connection is closed when the rest of a request's head, or its next request, does not come within 30 s, or when its client takes
nothing of an answer for 120 s (of a query's rows, 60 s). A request fails when no
more of its body comes within 20 s or, but for uploads to S3, the whole of it within 60 s. A login to a cluster may take 10 s.

Mapping templates of API Gateway are Velocity 1.7. What they do not have is refused by name when a template is put: `#parse`,
`#include`, `#@`, functions of `$util` and methods of Java that are not known, in regular expressions looking around and
back-references, in JSON paths a second `..` and functions but `length()`. A method with arguments that are not known for its
value's class ends the request with 500 and its name. A template is nested at most 64 levels deep and leads at most 150 deep into
its own macros and blocks.

APIs are asked for as everything else here: by programs on this machine. A web page of another site gets 403 (`Origin`), whatever the
API's CORS configuration says; one from localhost gets what is configured. Headers may be 32 KB long, on AWS 10,240 bytes with the
request line. Quotas of stages, routes and resources are not counted.

A cluster with minimum capacity 0 and a serverless instance pauses when for `SecondsUntilAutoPause` nobody was connected and the Data
API was not called: its engine ends (real), its status stays `available`, `DescribeEvents` tells of it, and a restart leaves it
paused. A client of its port wakes it and waits; the Data API answers `DatabaseResumingException` until it is back, which takes as
long as the engine takes and not AWS's 15 s: `labctl local fault add resume-delay SECONDS`. There are no metrics of it.

The Data API runs statements on the engine (real) over at most 64 connections of one user of one database (transactions have 192 more), new for every statement that
could leave something in its session or find something there. (What a trigger leaves in a variable, the next may see.) What AWS does not
say of it is modelled: a batch outside a transaction is stored whole or not at all; an INSERT of several rows tells the first key; `YEAR`
is a text; column metadata are those of AWS's JDBC driver, as far as the engine tells (MariaDB's JSON is a `LONGTEXT`). Refused, as by
AWS: several statements, `schema`, array parameters, geometries, `ExecuteSql`.

X-Ray has a daemon for each region, UDP and TCP on one port (`AWS_XRAY_DAEMON_ADDRESS` of functions and of `labctl local env`). It keeps
64 MB of documents, 30 days at most. Lambda samples one request a second and 5 % of the rest for each function, REST stages with
tracing go by the sampling rules. Connections are those of this user alone, as everywhere; who sends a datagram cannot be asked, so what
comes is bounded and only ever kept and shown. A summary has no root causes of response times, insights are refused.

Faults on purpose, by `labctl local fault add`: a service that throttles, a resource type that CloudFormation cannot create or delete,
clusters that pause soon or resume slowly. They end with the local cloud, a reset, or `labctl local fault clear`.
";

/// The page for the services that `cloud` has.
pub fn reference(cloud: &Cloud) -> String {
    let mut page = HEAD.to_owned();
    let mut sections = String::new();
    page.push_str("\n| service | real | modelled | refused |\n|---|---|---|---|\n");
    for name in model::services() {
        let Some(model) = model::model(name) else { continue };
        let support = cloud.service(name).map(|service| service.support()).unwrap_or_default();
        let grades: BTreeMap<&str, Grade> = support.iter().map(|row| (row.operation, row.grade)).collect();
        let with = |grade: Option<Grade>| -> Vec<&str> {
            let names = model.operations().map(|operation| operation.name);
            names.filter(|name| grades.get(name).copied() == grade).collect()
        };
        let (real, modelled, refused) = (with(Some(Grade::Real)), with(Some(Grade::Modelled)), with(None));
        let anchor = name;
        let _ = writeln!(page, "| [{name}](#{anchor}) | {} | {} | {} |", real.len(), modelled.len(), refused.len());
        let _ = writeln!(sections, "\n## {name}\n");
        for (grade, names) in [("real", real), ("modelled", modelled), ("refused", refused)] {
            if !names.is_empty() {
                let _ = writeln!(sections, "- **{grade}**: {}", names.join(", "));
            }
        }
    }
    page.push_str(&sections);
    page.push_str(
        "\n## CloudFormation resource types\n\nA type that is not in this list is an error that names it.\n\n",
    );
    for name in cloud.resource_type_names() {
        let _ = writeln!(page, "- `{name}`");
    }
    page
}

/// Operations that a service says it has and its model does not: defects, for a test to find.
pub fn strangers(cloud: &Cloud) -> Vec<String> {
    let mut strangers = Vec::new();
    for service in cloud.services() {
        let model = model::model(service.name());
        let known = |name: &str| model.is_some_and(|model| model.operation(name).is_some());
        let unknown = service.support().into_iter().filter(|row| !known(row.operation));
        strangers.extend(unknown.map(|row| format!("{}:{}", service.name(), row.operation)));
    }
    strangers
}
