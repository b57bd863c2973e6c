//! Finds a lab's traces by the names of what its stacks made.

use crate::aws::stacks::StackResource;
use crate::aws::traces::TraceSummary;
use crate::aws::{Aws, AwsError};
use std::collections::BTreeMap;
use std::time::Duration;

/// X-Ray is asked about so much time at once.
const WINDOW: i64 = 6 * 3600;
/// The longest filter expression that is sent; with more services there are more questions.
const LONGEST_FILTER: usize = 1500;

/// What a lab has that can be in a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traced {
    /// Names of segments: functions, and `api/stage` for stages.
    pub services: Vec<String>,
    /// Functions that begin no trace, and APIs none of whose stages does.
    pub untraced: Vec<String>,
}

/// Which traces are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Find {
    pub since: Duration,
    /// Only those in which something went wrong.
    pub errors: bool,
}

impl Traced {
    /// Looks at the functions and REST APIs among the resources of a lab's stacks.
    pub async fn of(aws: &Aws, resources: &[StackResource]) -> Result<Traced, AwsError> {
        let mut traced = Traced::default();
        for resource in resources {
            match resource.kind.as_str() {
                "AWS::Lambda::Function" => {
                    traced.services.push(resource.id.clone());
                    if !aws.traces_actively(&resource.id).await? {
                        traced.untraced.push(resource.id.clone());
                    }
                }
                "AWS::ApiGateway::RestApi" => {
                    let (name, stages) = aws.traced_stages(&resource.id).await?;
                    if stages.is_empty() {
                        traced.untraced.push(name.clone());
                    }
                    traced.services.extend(stages.into_iter().map(|stage| format!("{name}/{stage}")));
                }
                _ => {}
            }
        }
        Ok(traced)
    }

    /// Filter expressions that together find what is wanted.
    fn filters(&self, errors: bool) -> Vec<String> {
        let condition = if errors { " { fault = true OR error = true OR throttle = true }" } else { "" };
        let mut filters: Vec<String> = Vec::new();
        for service in &self.services {
            let part = format!("service(\"{}\"){condition}", service.replace('\\', "\\\\").replace('"', "\\\""));
            match filters.last_mut().filter(|filter| filter.len() + part.len() < LONGEST_FILTER) {
                Some(filter) => *filter = format!("{filter} OR {part}"),
                None => filters.push(part),
            }
        }
        filters
    }

    /// The traces that one of the services is in, newest first. `now`: seconds since the epoch.
    pub async fn find(&self, aws: &Aws, find: Find, now: i64) -> Result<Vec<TraceSummary>, AwsError> {
        let mut found: BTreeMap<String, TraceSummary> = BTreeMap::new();
        let since = now - i64::try_from(find.since.as_secs()).unwrap_or(i64::MAX / 2);
        for filter in self.filters(find.errors) {
            // A trace whose clock is a little ahead is one of now.
            let mut until = now + 60;
            while until > since {
                let from = since.max(until - WINDOW);
                let part = aws.trace_summaries(&filter, from, until).await?;
                found.extend(part.into_iter().map(|summary| (summary.id.clone(), summary)));
                until = from;
            }
        }
        let mut all: Vec<TraceSummary> = found.into_values().collect();
        all.sort_by(|one, other| other.start.total_cmp(&one.start));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_services_make_several_filters_and_names_are_quoted() {
        let services = (0..60).map(|n| format!("inventory-dev-function-{n:03}")).collect();
        let traced = Traced { services, untraced: Vec::new() };
        let filters = traced.filters(true);
        assert!(filters.len() > 2 && filters.iter().all(|filter| filter.len() < LONGEST_FILTER + 120), "{filters:#?}");
        let all = filters.join(" OR ");
        assert_eq!(all.matches("service(\"inventory-dev-function-").count(), 60);
        let odd = Traced { services: vec!["a\"b".to_owned()], untraced: Vec::new() };
        assert_eq!(odd.filters(false), ["service(\"a\\\"b\")"]);
        assert!(Traced::default().filters(false).is_empty());
    }
}
