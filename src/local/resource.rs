//! What CloudFormation asks of a service for one resource type, and what every provider needs to answer.

mod context;
mod outcome;
mod properties;
#[cfg(test)]
mod tests;
mod wait;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::fault::Fault;
use crate::template::schema;

pub use context::{ResourceContext, TagForm};
pub use outcome::{Made, NOT_UPDATABLE, Provisioned, ResourceFault, Unfinished};
pub use properties::{Properties, compared};
pub use wait::{Look, until};

/// One CloudFormation resource type: a line in the table of the service it belongs to (`services/<name>/cfn.rs`).
#[derive(Clone)]
pub struct ResourceType {
    name: &'static str,
    service: &'static str,
    /// What the provider reads of a template; any other property is refused by name.
    known: Vec<&'static str>,
    /// Those of them that no change in place reaches.
    fixed: Vec<&'static str>,
    /// Sets of which a template that has had one cannot be without.
    kept: Vec<&'static [&'static str]>,
    /// What the properties are that a template leaves out, as far as the others tell.
    defaults: fn(&Value) -> Value,
    provider: Arc<dyn Provider>,
}

impl ResourceType {
    /// The type `name` (`AWS::S3::Bucket`), whose provider reads the properties in `known` and no other.
    pub fn new(name: &'static str, known: &[&'static str], provider: impl Provider) -> Self {
        let (fixed, kept, provider) = (Vec::new(), Vec::new(), Arc::new(provider));
        ResourceType { name, service: "", known: known.to_vec(), fixed, kept, defaults: |_| Value::Null, provider }
    }

    /// The same with more properties.
    #[must_use]
    pub fn and(mut self, known: &[&'static str]) -> Self {
        self.known.extend(known);
        self
    }

    /// The same, where no request of the provider's changes these properties of a resource that is there: a change that the
    /// schema does not answer with a replacement is refused by name.
    #[must_use]
    pub fn fixed(mut self, names: &[&'static str]) -> Self {
        self.fixed.extend(names);
        self
    }

    /// The same, where a property that is taken out of the template has no value to go back to (a password, a class), unless
    /// another one of its set takes its place: what no default stands for is refused by name.
    #[must_use]
    pub fn kept(mut self, sets: &[&'static [&'static str]]) -> Self {
        self.kept.extend(sets);
        self
    }

    /// The same, where properties that are left out have values: those that a create without them gives. To write one of them
    /// out changes nothing, and what is taken out of a template goes back to it.
    #[must_use]
    pub fn defaults(self, defaults: fn(&Value) -> Value) -> Self {
        ResourceType { defaults, ..self }
    }

    /// The same as a type of `service`.
    #[must_use]
    pub(super) fn of(self, service: &'static str) -> Self {
        ResourceType { service, ..self }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The service that provides it.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Makes the resource.
    ///
    /// # Errors
    /// A property that the provider does not know; what the provider says.
    pub async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        properties.only(self.name, &self.known)?;
        if let Some(fault) = cx.cloud.drills.create_fails(self.name) {
            return Err(fault);
        }
        self.provider.create(cx, &schema::coerced(self.name, properties)).await
    }

    /// Whether a resource with the properties `old` can become one with `new` in place. Asked before a change is begun: what is
    /// refused here has changed nothing, and leaves nothing that a rollback would have to take back.
    ///
    /// # Errors
    /// A change of a property that cannot be changed, or one without a default that is taken out, by name.
    pub fn may_become(&self, old: &Value, new: &Value) -> Result<(), ResourceFault> {
        let (old, new) = (schema::coerced(self.name, old), schema::coerced(self.name, new));
        let refused = |what: String| Err(Fault::unsupported(format!("{what} of {}", self.name)).into());
        let [before, after] = [&old, &new].map(|properties| (self.defaults)(properties));
        let value = |own: &Value, default: &Value, name: &str| own.get(name).unwrap_or(&default[name]).clone();
        let differs = |name: &&&str| value(&old, &before, name) != value(&new, &after, name);
        if let Some(name) = self.fixed.iter().find(differs) {
            return refused(format!("a change of the property {name}"));
        }
        match self.without_default(&old, &new).first() {
            Some(name) => refused(format!("the removal of the property {name}")),
            None => Ok(()),
        }
    }

    /// What `old` says, `new` does not, and no default stands for.
    fn without_default(&self, old: &Value, new: &Value) -> Vec<&'static str> {
        let empty = |set: &&&[&str]| set.iter().all(|name| new.get(name).is_none());
        let names = self.kept.iter().filter(empty).flat_map(|set| set.iter().copied());
        names.filter(|name| old.get(name).is_some()).collect()
    }

    /// `new` with the defaults of what it no longer says, and with what has none as it is: a rollback leaves that.
    fn given_back(&self, old: &Value, mut new: Value) -> Value {
        for name in self.without_default(old, &new) {
            new[name] = old[name].clone();
        }
        let Value::Object(defaults) = (self.defaults)(&new) else { return new };
        for (name, default) in defaults {
            if old.get(&name).is_some() && new.get(&name).is_none() && !default.is_null() {
                new[name] = default;
            }
        }
        new
    }

    /// Changes the resource in place, as far as [`ResourceType::may_become`] has it.
    ///
    /// # Errors
    /// As [`ResourceType::create`]; [`NOT_UPDATABLE`] if only a new resource can be what the template says.
    pub async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        new.only(self.name, &self.known)?;
        let (old, new) = (schema::coerced(self.name, old), schema::coerced(self.name, new));
        let new = self.given_back(&old, new);
        self.provider.update(cx, id, &old, &new).await
    }

    /// Deletes the resource.
    ///
    /// # Errors
    /// What the provider says; that it is gone already is none.
    pub async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        if let Some(fault) = cx.cloud.drills.delete_fails(self.name) {
            return Err(fault);
        }
        self.provider.delete(cx, id, &schema::coerced(self.name, properties)).await
    }
}

/// What stands behind a resource type. It sends its service the requests that a client would send ([`ResourceContext::ask`]).
///
/// Properties come checked against the type's schema, with every intrinsic function resolved and every scalar as the
/// schema has it: `"5"` is 5 where a number is taken.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Makes the resource and waits until it is usable (unless the context says express). Called again with the same
    /// token after an interruption, it finds what it made; only of access keys, whose secret is told once, it makes another.
    /// An error after the resource is there names it ([`Unfinished`]).
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made;

    /// Changes the resource in place. The engine has already decided, from the schema, that no replacement is needed, and
    /// the type's table line that it [may become](ResourceType::may_become) so: every other property that differs is changed
    /// or refused here. What the template no longer says stands in `new` with the table line's default; what has none there is
    /// changed back here. A type that never changes in place leaves this out and is replaced all the same.
    async fn update(&self, _cx: &ResourceContext, id: &str, _old: &Value, _new: &Value) -> Made {
        Err(ResourceFault::new(NOT_UPDATABLE, format!("{id} cannot be changed in place")))
    }

    /// Deletes the resource; that it is gone already is success.
    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault>;
}
