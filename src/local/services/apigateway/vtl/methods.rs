//! The methods of values, which are Java's. As in Velocity, a method that a value's class does not have makes nothing; one
//! that it has, with other arguments than are known here, is an error.

use std::rc::Rc;

use serde_json::Number;

use super::eval::Eval;
use super::heap::{Entries, Heap, Held};
use super::known::BY_PATTERN;
use super::tree::Read;
use super::{number, text};

/// Calls `on.name(arguments)`.
pub(super) fn call(heap: &mut Heap, on: &Held, name: &str, arguments: &[Held], read: Option<&Read>) -> Eval<Held> {
    match (on, name, arguments) {
        (Held::Null, ..) => Ok(Held::Null),
        (_, "toString", []) => {
            let text = heap.print(on)?;
            heap.text(&text)
        }
        (_, "equals", [other]) => equals(heap, on, other),
        (Held::List(list), ..) => of_list(heap, *list, name, arguments),
        (Held::Map(map), ..) => of_map(heap, *map, name, arguments),
        (Held::Text(text), ..) if BY_PATTERN.contains(&name) => text::by_pattern(heap, text, name, arguments, read),
        (Held::Text(text), ..) => text::of_text(heap, text, name, arguments),
        (Held::Number(number), ..) => of_number(number, name, arguments),
        (Held::Bool(truth), "compareTo", [Held::Bool(other)]) => Ok(truth.cmp(other).into()),
        (Held::Bool(_), ..) => no_method(on, &["compareTo"], name, arguments),
    }
}

/// What a method makes that this local cloud does not know; `has` are those of the value's class.
pub(super) fn no_method(on: &Held, has: &[&str], name: &str, arguments: &[Held]) -> Eval<Held> {
    if !has.contains(&name) && !["equals", "toString"].contains(&name) {
        return Ok(Held::Null);
    }
    let given: Vec<&str> = arguments.iter().map(Held::kind).collect();
    Err(format!("the method {name}() of {} does not take ({}) in the local cloud", on.kind(), given.join(", ")))
}

fn equals(heap: &mut Heap, on: &Held, other: &Held) -> Eval<Held> {
    let alike = std::mem::discriminant(on) == std::mem::discriminant(other);
    Ok(Held::Bool(alike && heap.equal(on, other)?))
}

/// A place among `length`, or at its end.
pub(super) fn place(index: i64, length: usize) -> Eval<usize> {
    let found = usize::try_from(index).ok().filter(|index| *index <= length);
    found.ok_or_else(|| format!("index {index} is beyond {length}"))
}

const OF_LISTS: &[&str] = &[
    "add",
    "addAll",
    "clear",
    "contains",
    "containsAll",
    "get",
    "indexOf",
    "isEmpty",
    "lastIndexOf",
    "remove",
    "replaceAll",
    "set",
    "size",
    "subList",
];

fn of_list(heap: &mut Heap, list: usize, name: &str, arguments: &[Held]) -> Eval<Held> {
    let length = heap.items(list).len();
    let index = arguments.first().and_then(Held::as_index);
    Ok(match (name, arguments, index) {
        ("size", [], _) => length.into(),
        ("isEmpty", [], _) => Held::Bool(length == 0),
        ("get", [_], Some(index)) => heap.item(list, index)?,
        ("add", [item], _) => {
            heap.items_mut(list, 1)?.push(item.clone());
            Held::Bool(true)
        }
        ("add", [_, item], Some(index)) => {
            let index = place(index, length)?;
            heap.budget.looks(length / 16)?;
            heap.items_mut(list, 1)?.insert(index, item.clone());
            Held::Null
        }
        ("addAll", [Held::List(more)], _) => {
            let more = heap.items(*more).to_vec();
            heap.items_mut(list, more.len())?.extend(more);
            Held::Bool(true)
        }
        ("set", [_, item], Some(index)) => {
            let was = heap.item(list, index)?;
            let index = place(index, length)?;
            if let Some(there) = heap.items_mut(list, 0)?.get_mut(index) {
                *there = item.clone();
            }
            was
        }
        ("remove", [_], Some(index)) => {
            let was = heap.item(list, index)?;
            remove(heap, list, place(index, length)?)?;
            was
        }
        // A number is a place, and one with a point is none.
        ("remove", [item], None) if item.as_number().is_none() => match find(heap, list, item, 0..length)? {
            Some(index) => {
                remove(heap, list, index)?;
                Held::Bool(true)
            }
            None => Held::Bool(false),
        },
        ("clear", [], _) => {
            heap.items_mut(list, 0)?.clear();
            Held::Null
        }
        ("contains", [item], _) => Held::Bool(find(heap, list, item, 0..length)?.is_some()),
        ("containsAll", [Held::List(wanted)], _) => {
            for item in heap.items(*wanted).to_vec() {
                if find(heap, list, &item, 0..length)?.is_none() {
                    return Ok(Held::Bool(false));
                }
            }
            Held::Bool(true)
        }
        ("indexOf", [item], _) => found_at(find(heap, list, item, 0..length)?),
        ("lastIndexOf", [item], _) => found_at(find(heap, list, item, (0..length).rev())?),
        ("subList", [_, to], Some(from)) if to.as_index().is_some() => {
            let (from, to) = (place(from, length)?, place(to.as_index().unwrap_or_default(), length)?);
            let part = heap.items(list).get(from..to).ok_or("subList() ends before it begins")?.to_vec();
            heap.list(part)?
        }
        _ => no_method(&Held::List(list), OF_LISTS, name, arguments)?,
    })
}

fn remove(heap: &mut Heap, list: usize, index: usize) -> Eval<()> {
    heap.budget.looks(heap.items(list).len() / 16)?;
    heap.items_mut(list, 0)?.remove(index);
    Ok(())
}

fn found_at(found: Option<usize>) -> Held {
    found.map_or(Held::from(-1_i64), Held::from)
}

fn find(heap: &mut Heap, list: usize, wanted: &Held, places: impl Iterator<Item = usize>) -> Eval<Option<usize>> {
    for index in places {
        heap.budget.looks(1)?;
        let item = heap.items(list)[index].clone();
        if equals(heap, wanted, &item)?.is_true() {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

const OF_MAPS: &[&str] = &[
    "clear",
    "containsKey",
    "containsValue",
    "entrySet",
    "get",
    "getOrDefault",
    "isEmpty",
    "keySet",
    "put",
    "putAll",
    "putIfAbsent",
    "remove",
    "replace",
    "replaceAll",
    "size",
    "values",
];

fn of_map(heap: &mut Heap, map: usize, name: &str, arguments: &[Held]) -> Eval<Held> {
    let keys = arguments.iter().take(1).map(|key| heap.print(key)).collect::<Eval<Vec<_>>>()?;
    let key = keys.first().map_or("", String::as_str);
    let there = || heap.entries(map).get(key).cloned();
    Ok(match (name, arguments) {
        ("size", []) => heap.entries(map).len().into(),
        ("isEmpty", []) => Held::Bool(heap.entries(map).is_empty()),
        ("get", [_]) => there().unwrap_or(Held::Null),
        ("getOrDefault", [_, default]) => there().unwrap_or_else(|| default.clone()),
        ("put", [_, value]) => heap.put(map, key, value.clone())?,
        ("putIfAbsent", [_, value]) => match there() {
            Some(there) => there,
            None => heap.put(map, key, value.clone())?,
        },
        ("putAll", [Held::Map(more)]) => {
            for (key, value) in heap.entries(*more).clone() {
                heap.put(map, &key, value)?;
            }
            Held::Null
        }
        ("replace", [_, value]) => match there() {
            Some(_) => heap.put(map, key, value.clone())?,
            None => Held::Null,
        },
        ("replace", [_, was, value]) => {
            let same = is_there(heap, there(), was)?;
            if same {
                heap.put(map, key, value.clone())?;
            }
            Held::Bool(same)
        }
        ("remove", [_]) => taken(heap, map, key)?,
        ("remove", [_, was]) => {
            let same = is_there(heap, there(), was)?;
            if same {
                taken(heap, map, key)?;
            }
            Held::Bool(same)
        }
        ("clear", []) => {
            heap.entries_mut(map).clear();
            Held::Null
        }
        ("containsKey", [_]) => Held::Bool(heap.entries(map).contains_key(key)),
        ("containsValue", [value]) => {
            let values = values(heap, map)?;
            of_list(heap, values, "contains", std::slice::from_ref(value))?
        }
        ("keySet", []) => {
            let keys = heap.entries(map).keys().cloned().map(Held::Text).collect();
            heap.list(keys)?
        }
        ("values", []) => Held::List(values(heap, map)?),
        ("entrySet", []) => {
            let mut entries = Vec::new();
            for (key, value) in heap.entries(map).clone() {
                let parts: [(Rc<str>, Held); 2] = [("key".into(), Held::Text(key)), ("value".into(), value)];
                entries.push(heap.map(Entries::from(parts))?);
            }
            heap.list(entries)?
        }
        // What an entry of a map and what `$foreach` has, by its getter.
        ("getKey" | "getValue" | "getIndex" | "getCount" | "isFirst" | "isLast" | "hasNext", []) => {
            let short = name.trim_start_matches("get").trim_start_matches("is").to_lowercase();
            let name = if name == "hasNext" { name } else { short.as_str() };
            heap.property(&Held::Map(map), name)
        }
        _ => no_method(&Held::Map(map), OF_MAPS, name, arguments)?,
    })
}

fn values(heap: &mut Heap, map: usize) -> Eval<usize> {
    let values = heap.entries(map).values().cloned().collect();
    match heap.list(values)? {
        Held::List(list) => Ok(list),
        other => Err(format!("the values of a map are {}", other.kind())),
    }
}

fn is_there(heap: &mut Heap, there: Option<Held>, wanted: &Held) -> Eval<bool> {
    there.map_or(Ok(false), |there| heap.equal(&there, wanted))
}

fn taken(heap: &mut Heap, map: usize, key: &str) -> Eval<Held> {
    heap.budget.looks(heap.entries(map).len() / 4)?;
    Ok(heap.entries_mut(map).shift_remove(key).unwrap_or(Held::Null))
}

const OF_NUMBERS: &[&str] = &["compareTo", "doubleValue", "intValue", "longValue", "parseDouble", "parseInt"];

fn of_number(on: &Number, name: &str, arguments: &[Held]) -> Eval<Held> {
    Ok(match (name, arguments) {
        ("intValue", []) => i64::from(number::int(on)).into(),
        ("longValue", []) => number::long(on).into(),
        ("doubleValue", []) => on.as_f64().map_or(Held::Null, Held::float),
        ("compareTo", [Held::Number(other)]) => number::order(on, other).map_or(Held::Null, Held::from),
        // Java's class methods, which any number of the class has.
        ("parseInt", [Held::Text(text)]) => {
            let parsed = text.parse::<i32>().map_err(|_| format!("parseInt() of \"{text}\", which is no number"));
            i64::from(parsed?).into()
        }
        ("parseDouble", [Held::Text(text)]) => {
            Held::float(text.trim().parse().map_err(|_| format!("parseDouble() of \"{text}\", which is no number"))?)
        }
        _ => no_method(&Held::Number(on.clone()), OF_NUMBERS, name, arguments)?,
    })
}
