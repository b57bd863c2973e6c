//! The methods of values, which are Java's. What a value has no method for makes nothing.

use std::rc::Rc;

use super::eval::Eval;
use super::heap::{Entries, Heap, Held};
use super::pattern;

/// Calls `on.name(arguments)`.
pub(super) fn call(heap: &mut Heap, on: &Held, name: &str, arguments: &[Held]) -> Eval<Held> {
    match (on, name, arguments) {
        (Held::Null, ..) => Ok(Held::Null),
        (_, "toString", []) => {
            let text = heap.print(on)?;
            heap.text(&text)
        }
        (_, "equals", [other]) => {
            let alike = std::mem::discriminant(on) == std::mem::discriminant(other);
            Ok(Held::Bool(alike && heap.equal(on, other)?))
        }
        (Held::List(list), ..) => of_list(heap, *list, name, arguments),
        (Held::Map(map), ..) => of_map(heap, *map, name, arguments),
        (Held::Text(text), ..) => of_text(heap, &text.clone(), name, arguments),
        (Held::Number(number), ..) => of_number(number, name, arguments),
        (Held::Bool(_), ..) => Ok(Held::Null),
    }
}

/// A place among `length`, or at its end.
fn place(heap: &mut Heap, index: &Held, length: usize) -> Eval<usize> {
    let index = heap.integer(index)?;
    let found = usize::try_from(index).ok().filter(|index| *index <= length);
    found.ok_or_else(|| format!("index {index} is beyond {length}"))
}

fn of_list(heap: &mut Heap, list: usize, name: &str, arguments: &[Held]) -> Eval<Held> {
    let length = heap.items(list).len();
    Ok(match (name, arguments) {
        ("size", []) => length.into(),
        ("isEmpty", []) => Held::Bool(length == 0),
        ("get", [index]) => match index.as_index() {
            Some(index) => heap.item(list, index)?,
            None => Held::Null,
        },
        ("add", [item]) => {
            heap.items_mut(list, 1)?.push(item.clone());
            Held::Bool(true)
        }
        ("add", [index, item]) => {
            let index = place(heap, index, length)?;
            heap.items_mut(list, 1)?.insert(index, item.clone());
            Held::Null
        }
        ("addAll", [Held::List(more)]) => {
            let more = heap.items(*more).to_vec();
            heap.items_mut(list, more.len())?.extend(more);
            Held::Bool(true)
        }
        ("set", [index, item]) => {
            let was = heap.element(&Held::List(list), index)?;
            let index = place(heap, index, length)?;
            heap.items_mut(list, 0)?[index] = item.clone();
            was
        }
        ("remove", [Held::Number(index)]) => {
            let was = heap.item(list, index.as_i64().unwrap_or(-1))?;
            let index = place(heap, &Held::Number(index.clone()), length)?;
            heap.items_mut(list, 0)?.remove(index);
            was
        }
        ("remove", [item]) => match find(heap, list, item)? {
            Some(index) => {
                heap.items_mut(list, 0)?.remove(index);
                Held::Bool(true)
            }
            None => Held::Bool(false),
        },
        ("clear", []) => {
            heap.items_mut(list, 0)?.clear();
            Held::Null
        }
        ("contains", [item]) => Held::Bool(find(heap, list, item)?.is_some()),
        ("containsAll", [Held::List(wanted)]) => {
            for item in heap.items(*wanted).to_vec() {
                if find(heap, list, &item)?.is_none() {
                    return Ok(Held::Bool(false));
                }
            }
            Held::Bool(true)
        }
        ("indexOf", [item]) => find(heap, list, item)?.map_or(Held::from(-1_i64), Held::from),
        ("subList", [from, to]) => {
            let (from, to) = (place(heap, from, length)?, place(heap, to, length)?);
            let part = heap.items(list).get(from..to).ok_or("subList() ends before it begins")?.to_vec();
            heap.list(part)?
        }
        _ => Held::Null,
    })
}

fn find(heap: &mut Heap, list: usize, wanted: &Held) -> Eval<Option<usize>> {
    for index in 0..heap.items(list).len() {
        let item = heap.items(list)[index].clone();
        if call(heap, wanted, "equals", &[item])?.is_true() {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

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
        ("remove", [_]) => heap.entries_mut(map).shift_remove(key).unwrap_or(Held::Null),
        ("clear", []) => {
            heap.entries_mut(map).clear();
            Held::Null
        }
        ("containsKey", [_]) => Held::Bool(heap.entries(map).contains_key(key)),
        ("containsValue", [value]) => {
            let values = heap.entries(map).values().cloned().collect();
            let values = heap.list(values)?;
            call(heap, &values, "contains", std::slice::from_ref(value))?
        }
        ("keySet", []) => {
            let keys = heap.entries(map).keys().cloned().map(Held::Text).collect();
            heap.list(keys)?
        }
        ("values", []) => {
            let values = heap.entries(map).values().cloned().collect();
            heap.list(values)?
        }
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
        _ => Held::Null,
    })
}

fn of_number(number: &serde_json::Number, name: &str, arguments: &[Held]) -> Eval<Held> {
    #[expect(clippy::cast_possible_truncation, reason = "intValue cuts, in Java as here")]
    let whole = || number.as_i64().or_else(|| number.as_f64().map(|broken| broken as i64));
    let float = |number: Option<f64>| number.map_or(Held::Null, Held::float);
    Ok(match (name, arguments) {
        ("intValue" | "longValue", []) => whole().map_or(Held::Null, Held::from),
        ("doubleValue", []) => float(number.as_f64()),
        ("compareTo", [Held::Number(other)]) => {
            let order = number.as_f64().partial_cmp(&other.as_f64());
            order.map_or(Held::Null, |order| (order as i64).into())
        }
        // Java's class methods, which any number of the class has.
        ("parseInt", [Held::Text(text)]) => {
            text.parse::<i64>().map_err(|_| format!("parseInt() of \"{text}\", which is no number"))?.into()
        }
        ("parseDouble", [Held::Text(text)]) => {
            Held::float(text.trim().parse().map_err(|_| format!("parseDouble() of \"{text}\", which is no number"))?)
        }
        _ => Held::Null,
    })
}

fn of_text(heap: &mut Heap, text: &str, name: &str, arguments: &[Held]) -> Eval<Held> {
    heap.budget.scanned(text)?;
    let words = arguments.iter().map(|argument| heap.print(argument)).collect::<Eval<Vec<_>>>()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match (name, words.as_slice()) {
        ("length", []) => text.chars().count().into(),
        ("isEmpty", []) => Held::Bool(text.is_empty()),
        ("isBlank", []) => Held::Bool(text.trim().is_empty()),
        ("contains", [part]) => Held::Bool(text.contains(part)),
        ("startsWith", [part]) => Held::Bool(text.starts_with(part)),
        ("startsWith", [part, _]) => Held::Bool(tail(heap, text, &arguments[1])?.starts_with(part)),
        ("endsWith", [part]) => Held::Bool(text.ends_with(part)),
        ("equalsIgnoreCase", [other]) => Held::Bool(text.to_lowercase() == other.to_lowercase()),
        ("compareTo", [other]) => (text.cmp(other) as i64).into(),
        ("compareToIgnoreCase", [other]) => (text.to_lowercase().cmp(&other.to_lowercase()) as i64).into(),
        ("indexOf", [part]) => position(text, text.find(part)),
        ("indexOf", [part, _]) => {
            let rest = tail(heap, text, &arguments[1])?;
            let before = text.len() - rest.len();
            position(text, rest.find(part).map(|at| at + before))
        }
        ("lastIndexOf", [part]) => position(text, text.rfind(part)),
        ("matches", [pattern]) => Held::Bool(pattern::matches(text, pattern, &mut heap.budget)?),
        ("split", [pattern]) => split(heap, text, pattern, 0)?,
        ("split", [pattern, _]) => {
            let limit = heap.integer(&arguments[1])?;
            split(heap, text, pattern, limit)?
        }
        ("charAt", [_]) => {
            let at = tail(heap, text, &arguments[0])?.chars().next().ok_or("charAt() beyond the end")?;
            heap.text(at.encode_utf8(&mut [0; 4]))?
        }
        _ => {
            let made = edited(heap, text, name, &words, arguments)?;
            made.map_or(Ok(Held::Null), |made| heap.text(&made))?
        }
    })
}

/// The methods that make another text.
fn edited(heap: &mut Heap, text: &str, name: &str, words: &[&str], arguments: &[Held]) -> Eval<Option<String>> {
    Ok(Some(match (name, words) {
        ("replace", [from, to]) => {
            heap.budget.allows(text.len() + text.matches(from).count().saturating_mul(to.len()))?;
            text.replace(from, to)
        }
        ("replaceAll", [pattern, with]) => pattern::replace(text, pattern, with, usize::MAX, &mut heap.budget)?,
        ("replaceFirst", [pattern, with]) => pattern::replace(text, pattern, with, 1, &mut heap.budget)?,
        ("concat", [other]) => format!("{text}{other}"),
        ("repeat", [_]) => {
            let times = usize::try_from(heap.integer(&arguments[0])?).map_err(|_| "repeat() less than no times")?;
            heap.budget.allows(text.len().saturating_mul(times))?;
            text.repeat(times)
        }
        ("toLowerCase", []) => text.to_lowercase(),
        ("toUpperCase", []) => text.to_uppercase(),
        ("trim" | "strip", []) => text.trim().to_owned(),
        ("substring", [_]) => tail(heap, text, &arguments[0])?.to_owned(),
        ("substring", [_, _]) => {
            let (from, to) = (tail(heap, text, &arguments[0])?, tail(heap, text, &arguments[1])?);
            from.strip_suffix(to).ok_or("substring() ends before it begins")?.to_owned()
        }
        _ => return Ok(None),
    }))
}

/// What follows so many characters.
fn tail<'t>(heap: &mut Heap, text: &'t str, from: &Held) -> Eval<&'t str> {
    let from = place(heap, from, text.chars().count())?;
    Ok(text.char_indices().nth(from).map_or("", |(at, _)| &text[at..]))
}

/// A byte's place in characters; -1 of none.
fn position(text: &str, found: Option<usize>) -> Held {
    found.map_or(Held::from(-1_i64), |at| text[..at].chars().count().into())
}

fn split(heap: &mut Heap, text: &str, pattern: &str, limit: i64) -> Eval<Held> {
    let pieces = pattern::split(text, pattern, limit, &mut heap.budget)?;
    let pieces = pieces.into_iter().map(|piece| heap.text(piece)).collect::<Eval<_>>()?;
    heap.list(pieces)
}
