//! What a template sees of its stack: parameters, the resources that exist, other stacks' exports.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::scope::PARTITION;
use crate::template::Template;
use crate::template::intrinsics::{Environment, Lookup, Pseudo};
use crate::template::parameters;

use super::state::{Deployment, Instance, MASK, Stack};

/// The world of one stack at one moment.
pub(super) struct World<'a> {
    pub(super) template: &'a Template,
    pub(super) deployment: &'a Deployment,
    pub(super) stack: &'a Stack,
    pub(super) exports: &'a BTreeMap<String, String>,
    pub(super) zones: &'a [String],
    /// Shows `NoEcho` parameters as `****`.
    pub(super) masked: bool,
    /// For change sets: resources that do not exist yet or will be replaced.
    pub(super) unknown: &'a BTreeSet<String>,
    /// Before there is anything: what other stacks export is not asked yet.
    pub(super) exports_later: bool,
    /// Exports that were asked for.
    pub(super) imported: RefCell<BTreeSet<String>>,
}

impl World<'_> {
    fn live(&self, logical_id: &str) -> Option<&Instance> {
        self.stack.resources.get(logical_id)?.live.as_ref()
    }

    /// A resource of this template that is not there yet, if anything.
    fn absent(&self, logical_id: &str) -> Lookup {
        if self.template.resources.contains_key(logical_id) { Lookup::Unknown } else { Lookup::Missing }
    }
}

impl Environment for World<'_> {
    fn parameter(&self, name: &str) -> Option<Value> {
        let parameter = self.template.parameters.get(name)?;
        let value = self.deployment.parameters.get(name)?;
        let value = if self.masked && parameter.no_echo { MASK } else { value.as_str() };
        Some(parameters::reference(parameter, value))
    }

    fn pseudo(&self, name: &str) -> Option<Value> {
        let pseudo = Pseudo {
            account_id: self.stack.scope.account.clone(),
            region: self.stack.scope.region.clone(),
            partition: PARTITION.to_owned(),
            url_suffix: "amazonaws.com".to_owned(),
            stack_id: Some(self.stack.id.clone()),
            stack_name: self.stack.name.clone(),
            notification_arns: Vec::new(),
        };
        pseudo.get(name)
    }

    fn reference(&self, logical_id: &str) -> Lookup {
        match self.live(logical_id) {
            Some(instance) if !self.unknown.contains(logical_id) => {
                Lookup::Known(Value::from(instance.reference.as_ref().unwrap_or(&instance.physical_id).as_str()))
            }
            _ => self.absent(logical_id),
        }
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Lookup {
        match self.live(logical_id) {
            Some(instance) if !self.unknown.contains(logical_id) => {
                instance.attributes.get(attribute).map_or(Lookup::Missing, |value| Lookup::Known(value.clone()))
            }
            _ => self.absent(logical_id),
        }
    }

    fn import(&self, export: &str) -> Lookup {
        self.imported.borrow_mut().insert(export.to_owned());
        let missing = if self.exports_later { Lookup::Unknown } else { Lookup::Missing };
        self.exports.get(export).map_or(missing, |value| Lookup::Known(Value::from(value.as_str())))
    }

    fn zones(&self, region: &str) -> Vec<String> {
        let here = &self.stack.scope.region;
        let named = |zone: &String| zone.strip_prefix(here.as_str()).map(|letter| format!("{region}{letter}"));
        if region.is_empty() || region == here {
            self.zones.to_vec()
        } else {
            self.zones.iter().filter_map(named).collect()
        }
    }
}
