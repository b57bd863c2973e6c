//! `application/x-www-form-urlencoded` requests, and the tree that their dotted names make.

use std::borrow::Cow;

use indexmap::IndexMap;
use percent_encoding::percent_decode_str;

use crate::fault::Fault;

/// No request of AWS nests deeper.
const DEEPEST: usize = 32;
/// More than any request of AWS has.
const MOST_FIELDS: usize = 50_000;

/// The fields of a request, decoded, in order.
pub(super) struct Form<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// One step of the dotted names: `Tag` of `Tag.1.Key` has the child `1`.
#[derive(Default)]
pub(super) struct Node<'a> {
    pub(super) value: Option<&'a str>,
    pub(super) children: IndexMap<&'a str, Node<'a>>,
}

fn malformed(what: &str) -> Fault {
    Fault::new("MalformedQueryString", format!("The query string contains a syntax error: {what}")).status(400)
}

fn decode(text: &str) -> Result<Cow<'_, str>, Fault> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(Cow::Owned(decoded.into_owned())),
        Err(_) => Err(malformed("it is not UTF-8")),
    }
}

impl<'a> Form<'a> {
    /// Reads the query of the URL and the body.
    pub(super) fn parse(query: Option<&'a str>, body: &'a [u8]) -> Result<Self, Fault> {
        let body = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
        let pairs =
            query.into_iter().chain([body]).flat_map(|text| text.split('&')).filter(|pair| !pair.trim().is_empty());
        let mut fields = Vec::new();
        for pair in pairs {
            if fields.len() == MOST_FIELDS {
                return Err(malformed("it has too many fields"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.push((decode(name)?, decode(value)?));
        }
        Ok(Form { fields })
    }

    /// The first field called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_ref())
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The fields as a tree, without those that `skip` takes out.
    pub(super) fn tree(&self, skip: impl Fn(&str) -> bool) -> Result<Node<'_>, Fault> {
        let mut root = Node::default();
        for (name, value) in self.fields().filter(|(name, _)| !skip(name)) {
            let mut node = &mut root;
            for (depth, part) in name.split('.').enumerate() {
                if part.is_empty() || depth == DEEPEST {
                    return Err(malformed(&format!("the name {}", shortened(name))));
                }
                node = node.children.entry(part).or_default();
            }
            if node.value.replace(value).is_some() {
                return Err(malformed(&format!("{} is given twice", shortened(name))));
            }
        }
        Ok(root)
    }
}

/// `text`, short enough for an error.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(128) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn names_make_a_tree() {
        let form = Form::parse(Some("Action=A"), b"Tag.1.Key=a+b&Tag.1.Value=%C3%A9&Tag.2.Key=&X").unwrap();
        let tree = form.tree(|name| name == "Action").unwrap();
        assert_eq!(form.get("Action"), Some("A"));
        assert_eq!(tree.children["Tag"].children["1"].children["Key"].value, Some("a b"));
        assert_eq!(tree.children["Tag"].children["1"].children["Value"].value, Some("é"));
        assert_eq!(tree.children["Tag"].children["2"].children["Key"].value, Some(""));
        assert_eq!(tree.children["X"].value, Some(""));
    }

    #[test]
    fn nonsense_is_malformed() {
        for body in ["a=%FF", "..=1", "A=1&A=2", ".a=1"] {
            let read = Form::parse(None, body.as_bytes());
            let fault = read.and_then(|form| form.tree(|_| false).map(|_| ())).unwrap_err();
            assert_eq!(fault.code, "MalformedQueryString", "{body}");
        }
        let deep = vec!["a"; 100].join(".");
        assert!(Form::parse(None, deep.as_bytes()).unwrap().tree(|_| false).is_err());
        assert!(Form::parse(None, b"\xff").is_err());
    }
}
