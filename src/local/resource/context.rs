//! Where and for whom a provider works, and how it asks its service.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::outcome::ResourceFault;
use super::properties::Properties;
use crate::call::{Call, Client};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::scope::{CLOUDFORMATION, Scope};

/// Where and for whom a resource is made.
#[derive(Clone)]
pub struct ResourceContext {
    pub cloud: Arc<Cloud>,
    /// The stack's scope: who deploys it.
    pub scope: Scope,
    /// The service that provides the type: whom [`ResourceContext::ask`] asks.
    pub service: &'static str,
    pub stack_id: String,
    pub stack_name: String,
    pub logical_id: String,
    /// The same for every try at one thing: an interrupted create that is tried again finds what it made. A change has a token
    /// of its own, another in each operation; a deletion has that of the create.
    pub token: String,
    /// The stack's own tags and `aws:cloudformation:*`, for types that carry tags.
    pub stack_tags: Vec<(String, String)>,
    /// The stack's own tags before this change.
    pub old_stack_tags: Vec<(String, String)>,
    /// Express mode: done when the configuration is applied, no wait for readiness.
    pub express: bool,
}

/// How a service takes the tags of a thing, and the keys of those that are to go.
#[derive(Clone, Copy, Debug)]
pub enum TagForm {
    /// `Tags`, a list of `Key` and `Value`; `TagKeys`.
    List,
    /// `Tags`, a map; `TagKeys`.
    Map,
    /// The same as `tags` and `tagKeys`.
    LowerMap,
    /// `Tags`, a list, for both: EC2.
    Ec2,
}

impl ResourceContext {
    /// Sends the type's own service one request, as CloudFormation for the stack's owner. Members that are null are left
    /// out. The request's id is the token, so that a second try finds what the first made.
    ///
    /// # Errors
    /// What the service says.
    pub async fn ask(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        let call = Call {
            service: self.service,
            operation: operation.to_owned(),
            input: without_nulls(input),
            body: Bytes::new(),
            file: None,
            scope: self.scope.as_service(CLOUDFORMATION),
            request_id: self.token.clone(),
            trace: None,
            source: None,
            client: Client::default(),
        };
        self.cloud.dispatch(call).await.map(|reply| reply.output)
    }

    /// [`ResourceContext::ask`] for a deletion: what is not there any more is deleted.
    ///
    /// # Errors
    /// What the service says, but that it is not found.
    pub async fn remove(&self, operation: &str, input: Value) -> Result<(), ResourceFault> {
        match self.ask(operation, input).await.map_err(ResourceFault::from) {
            Err(fault) if !fault.is_not_found() => Err(fault),
            _ => Ok(()),
        }
    }

    /// [`ResourceContext::ask`] for the creation of a thing with a name. One that is there already is this very resource's,
    /// from an earlier try, if its `tags` say so.
    ///
    /// # Errors
    /// What the service says, `AlreadyExists` if the thing is somebody else's.
    pub async fn make(
        &self,
        operation: &str,
        input: Value,
        tags: impl Future<Output = Result<Value, Fault>>,
    ) -> Result<(), ResourceFault> {
        let Err(fault) = self.ask(operation, input).await.map_err(ResourceFault::from) else { return Ok(()) };
        if fault.handler_code == "AlreadyExists" && tags.await.is_ok_and(|tags| self.is_ours(&tags)) {
            return Ok(());
        }
        Err(fault)
    }

    /// The name that the template gives in `property`, or one made from the stack's and the resource's.
    pub fn name(&self, properties: &Value, property: &str, longest: usize) -> String {
        properties[property].as_str().map_or_else(|| self.generated_name(longest), str::to_owned)
    }

    /// [`ResourceContext::name`] as RDS and ElastiCache write names: in small letters, a made one without two hyphens in a row.
    pub fn hyphenated_name(&self, properties: &Value, property: &str, longest: usize) -> String {
        let Some(given) = properties[property].as_str() else {
            let made = self.generated_name(longest).to_ascii_lowercase();
            return made.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
        };
        given.to_ascii_lowercase()
    }

    /// A name for a resource whose template gives none: `<stack>-<logical id>-<suffix from the token>`, at most `longest` characters.
    pub fn generated_name(&self, longest: usize) -> String {
        let suffix: String = self.token.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let room = longest.saturating_sub(suffix.len() + 1);
        let mut stem = format!("{}-{}", self.stack_name, self.logical_id);
        stem.truncate(room);
        format!("{}-{suffix}", stem.trim_end_matches('-'))
    }

    /// The resource's `Tags` (a list of `Key` and `Value`) with the stack's tags added, those of the resource winning.
    pub fn tags(&self, properties: &Value) -> Value {
        let own = properties.list("Tags");
        let taken = |key: &str| own.iter().any(|tag| tag["Key"] == key);
        let inherited = self.stack_tags.iter().filter(|(key, _)| !taken(key));
        let inherited = inherited.map(|(key, value)| json!({"Key": key, "Value": value}));
        own.iter().cloned().chain(inherited).collect()
    }

    /// [`ResourceContext::tags`] in the form of services that take a map.
    pub fn tag_map(&self, properties: &Value) -> Map<String, Value> {
        let tags = self.tags(properties);
        let tags = tags.as_array().into_iter().flatten();
        tags.map(|tag| (tag.text("Key").to_owned(), tag["Value"].clone())).collect()
    }

    /// The keys of the tags that a change takes away, of the resource's own and of the stack's.
    pub fn tags_gone(&self, old: &Value, new: &Value) -> Vec<String> {
        let kept = self.tag_map(new);
        let own = old.list("Tags").iter().map(|tag| tag.text("Key"));
        let inherited = self.old_stack_tags.iter().map(|(key, _)| key.as_str());
        let gone: BTreeSet<&str> = own.chain(inherited).filter(|key| !kept.contains_key(*key)).collect();
        gone.into_iter().map(str::to_owned).collect()
    }

    /// Brings the tags of the thing that `place` names from what the `old` properties say to what the `new` ones say.
    ///
    /// # Errors
    /// What the service says to either operation.
    pub async fn retag(
        &self,
        (untag, tag): (&str, &str),
        place: Value,
        form: TagForm,
        (old, new): (&Value, &Value),
    ) -> Result<(), Fault> {
        let with = |name: &str, value: Value| {
            let mut input = place.clone();
            input[name] = value;
            input
        };
        let gone = self.tags_gone(old, new);
        if !gone.is_empty() {
            let keys = match form {
                TagForm::List | TagForm::Map => with("TagKeys", json!(gone)),
                TagForm::LowerMap => with("tagKeys", json!(gone)),
                TagForm::Ec2 => with("Tags", gone.iter().map(|key| json!({"Key": key})).collect()),
            };
            self.ask(untag, keys).await?;
        }
        let tags = match form {
            TagForm::List | TagForm::Ec2 => with("Tags", self.tags(new)),
            TagForm::Map => with("Tags", json!(self.tag_map(new))),
            TagForm::LowerMap => with("tags", json!(self.tag_map(new))),
        };
        self.ask(tag, tags).await.map(drop)
    }

    /// Whether a thing with these tags, a list or a map, was made for this very resource.
    pub fn is_ours(&self, tags: &Value) -> bool {
        let has = |key: &str, value: &str| match tags {
            Value::Array(list) => list.iter().any(|tag| tag["Key"] == key && tag["Value"] == value),
            map => map[key] == value,
        };
        has("aws:cloudformation:stack-id", &self.stack_id) && has("aws:cloudformation:logical-id", &self.logical_id)
    }
}

fn without_nulls(input: Value) -> Value {
    match input {
        Value::Object(members) => {
            let said = members.into_iter().filter(|(_, value)| !value.is_null());
            said.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
