//! Order among named things: what must come first, and cycles told by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Things that wait for each other in a circle, each followed by what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<String>);

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.join(" → "))?;
        self.0.first().map_or(Ok(()), |first| write!(f, " → {first}"))
    }
}

impl std::error::Error for Cycle {}

/// The names in an order that respects `after` (name → what it needs first), ties in alphabetical order.
/// Needs that are not themselves keys are ignored.
pub fn order(after: &BTreeMap<String, BTreeSet<String>>) -> Result<Vec<String>, Cycle> {
    let mut ordered: Vec<String> = Vec::with_capacity(after.len());
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while ordered.len() < after.len() {
        let next = after.iter().find(|(name, needs)| {
            !done.contains(name.as_str())
                && needs.iter().all(|need| done.contains(need.as_str()) || !after.contains_key(need))
        });
        let Some((name, _)) = next else { return Err(cycle(after, &done)) };
        done.insert(name);
        ordered.push(name.clone());
    }
    Ok(ordered)
}

/// Follows unmet needs until a name comes round again.
fn cycle(after: &BTreeMap<String, BTreeSet<String>>, done: &BTreeSet<&str>) -> Cycle {
    let stuck = |name: &&String| after.contains_key(*name) && !done.contains(name.as_str());
    let mut path: Vec<String> = Vec::new();
    let mut current = after.keys().find(|name| stuck(name)).cloned().unwrap_or_default();
    loop {
        if let Some(start) = path.iter().position(|seen| *seen == current) {
            return Cycle(path.split_off(start));
        }
        // Every stuck name has a stuck need, or it would not be stuck.
        let next = after.get(&current).and_then(|needs| needs.iter().find(stuck)).cloned();
        path.push(std::mem::take(&mut current));
        match next {
            Some(next) => current = next,
            None => return Cycle(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        let set = |needs: &[&str]| needs.iter().map(|need| (*need).to_owned()).collect();
        edges.iter().map(|(name, needs)| ((*name).to_owned(), set(needs))).collect()
    }

    #[test]
    fn what_is_needed_comes_first_and_ties_are_alphabetical() {
        let ordered = order(&graph(&[
            ("api", &["cache", "aurora"]),
            ("aurora", &["network"]),
            ("cache", &["network"]),
            ("network", &[]),
        ]));
        assert_eq!(ordered.unwrap(), ["network", "aurora", "cache", "api"]);
    }

    #[test]
    fn a_cycle_is_told_by_its_members_only() {
        let found = order(&graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &[])])).unwrap_err();
        assert_eq!(found.to_string(), "b → c → b");
    }

    #[test]
    fn needs_from_outside_the_graph_do_not_hold_anything_up() {
        assert_eq!(order(&graph(&[("a", &["elsewhere"])])).unwrap(), ["a"]);
    }
}
