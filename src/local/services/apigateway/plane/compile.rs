//! A deployment made ready for requests: routes sorted, templates and patterns parsed once.

use std::collections::BTreeMap;

use regex::Regex;

use crate::services::apigateway::state::{GatewayResponse, IntegrationResponse, Method, Resource, Snapshot, Texts};
use crate::services::apigateway::vtl::Template;

/// One part of a resource's path, the best match first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    Variable(String),
    Greedy(String),
}

struct Route {
    parts: Vec<Part>,
    resource: usize,
}

/// A resource with its methods.
pub(super) struct CompiledResource {
    pub id: String,
    pub path: String,
    pub methods: BTreeMap<String, CompiledMethod>,
}

/// A method with what its integration needs.
pub(super) struct CompiledMethod {
    pub method: Method,
    /// Required parameters, if a validator says so.
    pub required: Vec<String>,
    /// Request templates by content type.
    pub templates: BTreeMap<String, Template>,
    pub responses: Vec<CompiledResponse>,
}

/// An integration response; the one without a pattern is the default.
pub(super) struct CompiledResponse {
    pub response: IntegrationResponse,
    pub pattern: Option<Regex>,
    pub templates: BTreeMap<String, Template>,
}

/// A deployment, ready for requests.
pub(super) struct Compiled {
    routes: Vec<Route>,
    resources: Vec<CompiledResource>,
    pub gateway_responses: BTreeMap<String, GatewayResponse>,
    pub binary_media_types: Vec<String>,
}

fn templates(texts: &Texts) -> BTreeMap<String, Template> {
    // Every template was parsed when it was put: one that does not parse cannot be here.
    texts.iter().filter_map(|(kind, text)| Some((kind.to_lowercase(), Template::parse(text).ok()?))).collect()
}

fn parts(path: &str) -> Vec<Part> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts
        .map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => match name.strip_suffix('+') {
                Some(name) => Part::Greedy(name.to_owned()),
                None => Part::Variable(name.to_owned()),
            },
            None => Part::Text(part.to_owned()),
        })
        .collect()
}

impl CompiledMethod {
    fn new(method: &Method, snapshot: &Snapshot) -> Self {
        let validator = method.request_validator_id.as_ref().and_then(|id| snapshot.validators.get(id));
        let required =
            method.request_parameters.iter().filter(|(_, required)| **required).map(|(name, _)| name.clone());
        let validates = validator.is_some_and(|validator| validator.validate_request_parameters);
        let integration = method.method_integration.clone().unwrap_or_default();
        let responses = integration.integration_responses.values().map(|response| CompiledResponse {
            // Java's `matches`: the whole text, and `.` without line ends.
            pattern: response
                .selection_pattern
                .as_deref()
                .filter(|pattern| !pattern.is_empty())
                .and_then(|pattern| Regex::new(&format!("^(?:{pattern})$")).ok()),
            templates: templates(&response.response_templates),
            response: response.clone(),
        });
        CompiledMethod {
            required: if validates { required.collect() } else { Vec::new() },
            templates: templates(&integration.request_templates),
            responses: responses.collect(),
            method: method.clone(),
        }
    }

    /// The integration response for an error message or a status, else the default.
    pub(super) fn response(&self, text: Option<&str>) -> Option<&CompiledResponse> {
        let matching = text.and_then(|text| {
            self.responses
                .iter()
                .find(|response| response.pattern.as_ref().is_some_and(|pattern| pattern.is_match(text)))
        });
        matching.or_else(|| self.responses.iter().find(|response| response.pattern.is_none()))
    }
}

impl Compiled {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let with_methods: Vec<&Resource> =
            snapshot.resources.values().filter(|r| !r.resource_methods.is_empty()).collect();
        let mut routes: Vec<Route> = with_methods
            .iter()
            .enumerate()
            .map(|(index, r)| Route { parts: parts(&r.path), resource: index })
            .collect();
        routes.sort_by(|a, b| a.parts.cmp(&b.parts));
        let resources = with_methods.iter().map(|resource| CompiledResource {
            id: resource.id.clone(),
            path: resource.path.clone(),
            methods: resource
                .resource_methods
                .iter()
                .map(|(verb, method)| (verb.clone(), CompiledMethod::new(method, snapshot)))
                .collect(),
        });
        Compiled {
            resources: resources.collect(),
            routes,
            gateway_responses: snapshot.gateway_responses.clone(),
            binary_media_types: snapshot.binary_media_types.clone(),
        }
    }

    /// The resource for a path, with its path parameters. `path` is decoded part by part.
    pub(super) fn find(&self, path: &[String]) -> Option<(&CompiledResource, BTreeMap<String, String>)> {
        self.routes.iter().find_map(|route| Some((&self.resources[route.resource], fit(&route.parts, path)?)))
    }
}

fn fit(parts: &[Part], path: &[String]) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Text(text) if path.get(index) == Some(text) => {}
            Part::Variable(name) => {
                found.insert(name.clone(), path.get(index).filter(|value| !value.is_empty())?.clone());
            }
            Part::Greedy(name) if path.len() > index => {
                found.insert(name.clone(), path[index..].join("/"));
                return Some(found);
            }
            _ => return None,
        }
    }
    (parts.len() == path.len()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_literal_route_wins() {
        let mut snapshot = Snapshot::default();
        for path in ["/", "/{proxy+}", "/a", "/a/{id}", "/a/b", "/{x}/b"] {
            let resource = Resource {
                id: path.into(),
                path: path.into(),
                resource_methods: BTreeMap::from([("GET".to_owned(), Method::default())]),
                ..Resource::default()
            };
            snapshot.resources.insert(path.into(), resource);
        }
        let compiled = Compiled::new(&snapshot);
        let cases = [
            ("", "/"),
            ("a", "/a"),
            ("a/b", "/a/b"),
            ("a/c", "/a/{id}"),
            ("z/b", "/{x}/b"),
            ("z/c", "/{proxy+}"),
            ("a/b/c", "/{proxy+}"),
        ];
        for (path, expected) in cases {
            let path: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            assert_eq!(compiled.find(&path).unwrap().0.path, expected);
        }
        let parts: Vec<String> = ["x", "y", "z"].map(str::to_owned).to_vec();
        assert_eq!(compiled.find(&parts).unwrap().1["proxy"], "x/y/z");
    }
}
