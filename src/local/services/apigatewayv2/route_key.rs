//! Route keys: `GET /devices/{id}`, `ANY /{proxy+}`, `$default`; which of them a request takes. Pure.
//!
//! A route that fits the whole path comes before one that ends in a greedy parameter, and that before `$default`; a method
//! before `ANY`; a literal before a parameter, part by part from the left.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>

use std::collections::BTreeMap;

/// The key of the route that takes what no other does.
pub(super) const DEFAULT: &str = "$default";
const METHODS: &[&str] = &["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// One part of a route's path, the best match first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    Parameter(String),
    Greedy(String),
}

/// A key that was read; keys are in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RouteKey {
    rank: Rank,
    parts: Vec<Part>,
    /// `None`: any.
    method: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    WholeOfMethod,
    WholeOfAny,
    GreedyOfMethod,
    GreedyOfAny,
    Default,
}

/// What the parameters of a path hold.
pub(super) type Parameters = BTreeMap<String, String>;

impl RouteKey {
    /// Reads a key.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == DEFAULT {
            return Ok(RouteKey { rank: Rank::Default, parts: Vec::new(), method: None });
        }
        let wrong = || {
            format!(
                "The provided route key is not formatted properly for HTTP protocol. Format should be \"<HTTP METHOD> /<RESOURCE PATH>\" or \"{DEFAULT}\": {text}"
            )
        };
        let (method, path) = text.split_once(' ').ok_or_else(wrong)?;
        if !METHODS.contains(&method) || !path.starts_with('/') || path.contains(' ') {
            return Err(wrong());
        }
        let parts = split(path).map(part).collect::<Option<Vec<Part>>>().ok_or_else(wrong)?;
        let greedy = parts.iter().position(|part| matches!(part, Part::Greedy(_)));
        if greedy.is_some_and(|place| place + 1 != parts.len()) {
            return Err(format!("A greedy path variable must be the last part of a route's path: {text}"));
        }
        let rank = match (greedy.is_some(), method) {
            (false, "ANY") => Rank::WholeOfAny,
            (false, _) => Rank::WholeOfMethod,
            (true, "ANY") => Rank::GreedyOfAny,
            (true, _) => Rank::GreedyOfMethod,
        };
        Ok(RouteKey { rank, parts, method: (method != "ANY").then(|| method.to_owned()) })
    }

    /// Whether two keys differ in the names of their parameters at most.
    pub(super) fn same(&self, other: &RouteKey) -> bool {
        let alike = |(one, other): (&Part, &Part)| match (one, other) {
            (Part::Text(one), Part::Text(other)) => one == other,
            (Part::Parameter(_), Part::Parameter(_)) | (Part::Greedy(_), Part::Greedy(_)) => true,
            _ => false,
        };
        self.rank == other.rank
            && self.method == other.method
            && self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(alike)
    }

    /// What the parameters hold, if the route takes the method and the decoded path.
    pub(super) fn fit(&self, method: &str, path: &str) -> Option<Parameters> {
        let mut found = Parameters::new();
        if self.rank == Rank::Default {
            return Some(found);
        }
        if self.method.as_ref().is_some_and(|own| own != method) {
            return None;
        }
        let given: Vec<&str> = split(path).collect();
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(text) if given.get(index) == Some(&text.as_str()) => {}
                Part::Parameter(name) => {
                    found.insert(name.clone(), (*given.get(index).filter(|value| !value.is_empty())?).to_owned());
                }
                Part::Greedy(name) => {
                    let rest = given.get(index..).filter(|rest| !rest.is_empty())?;
                    found.insert(name.clone(), rest.join("/"));
                    return Some(found);
                }
                Part::Text(_) => return None,
            }
        }
        (self.parts.len() == given.len()).then_some(found)
    }
}

/// The parts of a path; `/` has none, and a slash at the end makes an empty one.
fn split(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').filter(move |_| !path.is_empty())
}

fn part(text: &str) -> Option<Part> {
    let Some(name) = text.strip_prefix('{') else {
        return (!text.contains(['{', '}'])).then(|| Part::Text(text.to_owned()));
    };
    let name = name.strip_suffix('}')?;
    let (name, greedy) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
    let good =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'));
    let make = if greedy { Part::Greedy } else { Part::Parameter };
    good.then(|| make(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(keys: &[&str], method: &str, path: &str) -> Option<(String, Parameters)> {
        let mut read: Vec<(RouteKey, &str)> = keys.iter().map(|key| (RouteKey::parse(key).unwrap(), *key)).collect();
        read.sort();
        read.into_iter().find_map(|(key, text)| Some((text.to_owned(), key.fit(method, path)?)))
    }

    #[test]
    fn the_most_specific_route_takes_a_request() {
        let keys = [
            "GET /pets/dog/1",
            "GET /pets/dog/{id}",
            "GET /pets/{proxy+}",
            "ANY /{proxy+}",
            "ANY /pets/{x}",
            "$default",
        ];
        let cases = [
            ("GET", "/pets/dog/1", "GET /pets/dog/1"),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
            ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
            ("GET", "/pets/cat", "ANY /pets/{x}"),
            ("POST", "/test/5", "ANY /{proxy+}"),
            ("POST", "/", "$default"),
            ("PURGE", "/a", "ANY /{proxy+}"),
        ];
        for (method, path, key) in cases {
            assert_eq!(taken(&keys, method, path).unwrap().0, key, "{method} {path}");
        }
        assert_eq!(taken(&keys, "GET", "/pets/a/b/c").unwrap().1["proxy"], "a/b/c");
    }

    #[test]
    fn a_path_fits_as_it_is_and_another_method_does_not() {
        assert_eq!(taken(&["POST /telemetry"], "GET", "/telemetry"), None);
        assert_eq!(taken(&["POST /telemetry"], "POST", "/telemetry/"), None);
        assert_eq!(taken(&["GET /{id}"], "GET", "/"), None);
        assert!(taken(&["GET /"], "GET", "/").is_some());
        assert_eq!(taken(&["GET /a/{id}/b"], "GET", "/a/7 8/b").unwrap().1["id"], "7 8");
    }

    #[test]
    fn keys_that_cannot_be_read_are_refused() {
        for key in [
            "",
            "GET",
            "get /a",
            "GET a",
            "GET /{a",
            "GET /a}",
            "GET /{a+}/b",
            "GET /{}",
            "TRACE /a",
            "$connect",
            "GET  /a",
        ] {
            assert!(RouteKey::parse(key).unwrap_err().contains(key), "{key}");
        }
    }

    #[test]
    fn names_of_parameters_make_no_other_key() {
        let [a, b, c] = ["GET /a/{x}", "GET /a/{y}", "GET /a/{y+}"].map(|key| RouteKey::parse(key).unwrap());
        assert!(a.same(&b) && !a.same(&c));
    }
}
