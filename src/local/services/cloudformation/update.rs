//! What a deployment means for one resource: pure, from what there is and what should be.

use crate::template::schema::{self, Replacement};

use super::state::{Intent, Resource};

/// What is to be done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing differs that a provider would see.
    Keep,
    Create,
    /// A creation was begun before a crash: ask again with the same token.
    Resume,
    /// The provider is asked to change it; if it says `NotUpdatable`, the resource is replaced.
    Update,
    /// Make a new one; the old one goes in the cleanup.
    Replace,
    /// A rollback takes back a replacement: the old one is still there.
    Restore,
}

/// Compares what there is with what should be.
pub(super) fn decide(resource: Option<&Resource>, kind: &str, intent: &Intent, rolling_back: bool) -> Decision {
    let Some(resource) = resource else { return Decision::Create };
    if resource.attempt.is_some() {
        return Decision::Resume;
    }
    if rolling_back && resource.retired.iter().any(|retired| retired.restorable) {
        return Decision::Restore;
    }
    let Some(live) = &resource.live else { return Decision::Create };
    if live.kind != kind {
        return Decision::Replace;
    }
    let same = schema::changed(&live.plan.properties, &intent.properties).is_empty();
    if same && live.plan.tags == intent.tags && !resource.uncertain {
        return Decision::Keep;
    }
    match schema::replacement(kind, &live.plan.properties, &intent.properties) {
        Replacement::Never | Replacement::Conditional(_) => Decision::Update,
        Replacement::Always(_) => Decision::Replace,
    }
}

/// The physical id that a replacement of this resource would have to share with what it replaces, if any: the template gives
/// all that the type's resources are told apart by, and gives it as before.
pub(super) fn own_name(resource: &Resource, kind: &str, intent: &Intent) -> Option<String> {
    let live = resource.live.as_ref().filter(|live| live.kind == kind)?;
    let identifier = schema::identifier(kind).filter(|names| !names.is_empty())?;
    let given = |name: &String| intent.properties.get(name);
    let same = |name: &String| given(name).is_some() && given(name) == live.plan.properties.get(name);
    identifier.iter().all(same).then(|| live.physical_id.clone())
}
