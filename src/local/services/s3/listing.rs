//! Listings: ordered keys in, one page out. Nothing here knows of a disk or of HTTP.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Which page of which keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pub prefix: String,
    pub delimiter: Option<String>,
    /// Only what comes after this key or common prefix.
    pub after: Option<String>,
    /// How many keys and common prefixes at most.
    pub limit: usize,
}

/// One page: keys and common prefixes count alike.
#[derive(Debug)]
pub(super) struct Page<'a, T> {
    pub items: Vec<(&'a str, T)>,
    pub prefixes: Vec<String>,
    /// The last key or common prefix of this page, if more follow.
    pub next: Option<String>,
}

/// The page of `keys` that `query` asks for; `select` says what is shown of a key, if anything.
pub(super) fn page<'a, V, T>(
    keys: &'a BTreeMap<String, V>,
    query: &Query,
    mut select: impl FnMut(&'a V) -> Option<T>,
) -> Page<'a, T> {
    let mut page = Page { items: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last = String::new();
    let mut from = match &query.after {
        Some(after) if *after >= query.prefix => after_key(after, query),
        _ => Bound::Included(query.prefix.clone()),
    };
    if query.limit == 0 {
        return page;
    }
    'seek: loop {
        for (key, value) in keys.range::<String, _>((from.as_ref(), Bound::Unbounded)) {
            if !key.starts_with(&query.prefix) {
                return page;
            }
            let Some(shown) = select(value) else { continue };
            if page.items.len() + page.prefixes.len() == query.limit {
                page.next = Some(last);
                return page;
            }
            let Some(common) = common_prefix(key, query) else {
                last.clone_from(key);
                page.items.push((key, shown));
                continue;
            };
            last = common.to_owned();
            page.prefixes.push(common.to_owned());
            match successor(common) {
                Some(next) => from = Bound::Included(next),
                None => return page,
            }
            continue 'seek;
        }
        return page;
    }
}

/// Where a page starts that follows `after`: behind the key, or behind all keys of the common prefix.
fn after_key(after: &str, query: &Query) -> Bound<String> {
    match common_prefix(after, query) {
        Some(common) if common == after => successor(after).map_or(Bound::Excluded(after.into()), Bound::Included),
        _ => Bound::Excluded(after.into()),
    }
}

/// The part of `key` up to the first delimiter behind the prefix.
fn common_prefix<'k>(key: &'k str, query: &Query) -> Option<&'k str> {
    let delimiter = query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(query.prefix.as_str())?;
    let at = rest.find(delimiter)?;
    Some(&key[..query.prefix.len() + at + delimiter.len()])
}

/// The first string, in byte order, behind all that start with `prefix`.
fn successor(prefix: &str) -> Option<String> {
    let mut next = prefix.to_owned();
    while let Some(last) = next.pop() {
        let above = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(above) = above {
            next.push(above);
            return Some(next);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, any, prop, prop_oneof, proptest};

    /// The same page, found without any cleverness.
    fn simple(keys: &BTreeMap<String, bool>, query: &Query) -> (Vec<String>, Vec<String>, bool) {
        let mut seen: Vec<(bool, String)> = Vec::new();
        for (key, shown) in keys {
            if !shown || !key.starts_with(&query.prefix) {
                continue;
            }
            let common = common_prefix(key, query);
            let item = (common.is_some(), common.unwrap_or(key).to_owned());
            let after = query.after.as_deref();
            let before = after.is_some_and(|after| {
                let rolled = common_prefix(after, query) == Some(after) && key.starts_with(after);
                key.as_str() <= after || rolled
            });
            if !before && seen.last() != Some(&item) {
                seen.push(item);
            }
        }
        let more = seen.len() > query.limit && query.limit > 0;
        seen.truncate(query.limit);
        let of = |wanted| seen.iter().filter(|(rolled, _)| *rolled == wanted).map(|(_, name)| name.clone()).collect();
        (of(false), of(true), more)
    }

    proptest! {
        #[test]
        fn a_page_is_what_a_plain_walk_finds(
            keys in prop::collection::btree_map("[ab/é\u{10ffff}]{0,5}", any::<bool>(), 0..30),
            prefix in prop_oneof![Just(String::new()), "[ab/]{0,2}"],
            delimiter in prop::option::of(prop_oneof![Just("/"), Just("b"), Just("ab"), Just("\u{10ffff}")]),
            after in prop::option::of("[ab/é]{0,4}"),
            limit in 0usize..8,
        ) {
            let query = Query { prefix, delimiter: delimiter.map(str::to_owned), after, limit };
            let found = page(&keys, &query, |shown| shown.then_some(()));
            let names: Vec<String> = found.items.iter().map(|(key, ())| (*key).to_owned()).collect();
            assert_eq!((names, found.prefixes, found.next.is_some()), simple(&keys, &query), "{query:?}");
        }

        #[test]
        fn pages_follow_each_other_without_gap_or_double(
            keys in prop::collection::btree_map("[ab/]{0,5}", Just(true), 0..30),
            limit in 1usize..5,
            delimiter in prop::option::of(Just("/".to_owned())),
        ) {
            let whole = Query { delimiter, limit: 1000, ..Query::default() };
            let mut query = Query { limit, ..whole.clone() };
            let (mut items, mut prefixes) = (Vec::new(), Vec::new());
            loop {
                let one = page(&keys, &query, |_| Some(()));
                items.extend(one.items.into_iter().map(|(key, ())| key));
                prefixes.extend(one.prefixes);
                match one.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
            let all = page(&keys, &whole, |_| Some(()));
            assert_eq!(items, all.items.iter().map(|(key, ())| *key).collect::<Vec<_>>());
            assert_eq!(prefixes, all.prefixes);
        }
    }
}
