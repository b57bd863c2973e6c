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

use crate::local::fault::Fault;
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
    provider: Arc<dyn Provider>,
}

impl ResourceType {
    /// The type `name` (`AWS::S3::Bucket`), whose provider reads the properties in `known` and no other.
    pub fn new(name: &'static str, known: &[&'static str], provider: impl Provider) -> Self {
        ResourceType { name, service: "", known: known.to_vec(), fixed: Vec::new(), provider: Arc::new(provider) }
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
        self.provider.create(cx, &schema::coerced(self.name, properties)).await
    }

    /// Whether a resource with the properties `old` can become one with `new` in place. Asked before a change is begun: what is
    /// refused here has changed nothing, and leaves nothing that a rollback would have to take back.
    ///
    /// # Errors
    /// A change of a property that cannot be changed, by name.
    pub fn may_become(&self, old: &Value, new: &Value) -> Result<(), ResourceFault> {
        let (old, new) = (schema::coerced(self.name, old), schema::coerced(self.name, new));
        match new.changed(&old, &self.fixed).first() {
            Some(name) => Err(Fault::unsupported(format!("a change of the property {name} of {}", self.name)).into()),
            None => Ok(()),
        }
    }

    /// Changes the resource in place, as far as [`ResourceType::may_become`] has it.
    ///
    /// # Errors
    /// As [`ResourceType::create`]; [`NOT_UPDATABLE`] if only a new resource can be what the template says.
    pub async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        new.only(self.name, &self.known)?;
        self.provider.update(cx, id, &schema::coerced(self.name, old), &schema::coerced(self.name, new)).await
    }

    /// Deletes the resource.
    ///
    /// # Errors
    /// What the provider says; that it is gone already is none.
    pub async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
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
    /// or refused here. A type that never changes in place leaves this out and is replaced all the same.
    async fn update(&self, _cx: &ResourceContext, id: &str, _old: &Value, _new: &Value) -> Made {
        Err(ResourceFault::new(NOT_UPDATABLE, format!("{id} cannot be changed in place")))
    }

    /// Deletes the resource; that it is gone already is success.
    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault>;
}
