//! What providers read from a resource's properties, from a part of them, and from a service's answers.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::fault::Fault;

/// Reads JSON that somebody else has checked: what is missing is empty.
pub trait Properties {
    /// Refuses by name a member of `of` (`AWS::S3::Bucket`) that is not in `known`.
    ///
    /// # Errors
    /// [`Fault::unsupported`].
    fn only(&self, of: &str, known: &[&str]) -> Result<(), Fault>;

    /// The object with these members alone.
    fn pick(&self, names: &[&str]) -> Value;

    /// Those of `names` whose values are not what they were.
    fn changed(&self, old: &Value, names: &[&'static str]) -> Vec<&'static str>;

    /// The member's text.
    fn text(&self, name: &str) -> &str;

    /// The member's items.
    fn list(&self, name: &str) -> &[Value];

    /// The members of the member.
    fn members(&self, name: &str) -> impl Iterator<Item = (&String, &Value)>;

    /// The member's time, which services answer in seconds, as CloudFormation writes it.
    fn time(&self, name: &str) -> Option<String>;

    /// Text as it is, anything else as JSON: policies, which a template gives in either form, and scalars.
    fn to_text(&self) -> String;
}

impl Properties for Value {
    fn only(&self, of: &str, known: &[&str]) -> Result<(), Fault> {
        let mut names = self.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        match names.find(|name| !known.contains(name)) {
            Some(name) => Err(Fault::unsupported(format!("the property {name} of {of}"))),
            None => Ok(()),
        }
    }

    fn pick(&self, names: &[&str]) -> Value {
        let found = names.iter().filter_map(|name| Some(((*name).to_owned(), self.get(name)?.clone())));
        Value::Object(found.collect())
    }

    fn changed(&self, old: &Value, names: &[&'static str]) -> Vec<&'static str> {
        names.iter().copied().filter(|name| self.get(name) != old.get(name)).collect()
    }

    fn text(&self, name: &str) -> &str {
        self[name].as_str().unwrap_or_default()
    }

    fn list(&self, name: &str) -> &[Value] {
        self[name].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    fn members(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        self[name].as_object().into_iter().flatten()
    }

    fn time(&self, name: &str) -> Option<String> {
        #[expect(clippy::cast_possible_truncation, reason = "a time of our own making")]
        let millis = (self[name].as_f64()? * 1000.0).round() as i64;
        Some(Timestamp::from_millis(millis).iso8601())
    }

    fn to_text(&self) -> String {
        self.as_str().map_or_else(|| self.to_string(), str::to_owned)
    }
}

/// What a change takes out of a list and what it puts in.
pub fn compared<'v>(old: &'v [Value], new: &'v [Value]) -> (Vec<&'v Value>, Vec<&'v Value>) {
    let gone = old.iter().filter(|item| !new.contains(item)).collect();
    let added = new.iter().filter(|item| !old.contains(item)).collect();
    (gone, added)
}
