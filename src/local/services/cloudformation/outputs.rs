//! Outputs, and the exports by which stacks use each other's.

use std::collections::{BTreeMap, BTreeSet};

use super::CloudFormation;
use super::engine::Run;
use super::state::{Output, Stack};
use super::status::Status;

/// An export and the stack that has it.
pub(super) struct Export {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) stack_id: String,
    pub(super) stack_name: String,
}

impl CloudFormation {
    /// Every export of the region, by name.
    pub(super) fn exports(&self, region: &str) -> Vec<Export> {
        let mut exports = Vec::new();
        for cell in self.registry.all(region) {
            let stack = cell.get();
            for output in &stack.outputs {
                let Some(name) = &output.export else { continue };
                exports.push(Export {
                    name: name.clone(),
                    value: output.value.clone(),
                    stack_id: stack.id.clone(),
                    stack_name: stack.name.clone(),
                });
            }
        }
        exports.sort_by(|a, b| a.name.cmp(&b.name));
        exports
    }

    pub(super) fn export_values(&self, region: &str) -> BTreeMap<String, String> {
        self.exports(region).into_iter().map(|export| (export.name, export.value)).collect()
    }

    /// Names of the stacks that import an export.
    pub(super) fn importers(&self, region: &str, export: &str) -> Vec<String> {
        let stacks = self.registry.all(region).into_iter().map(|cell| cell.get());
        let mut names: Vec<String> = stacks
            .filter(|stack| !stack.is_deleted() && stack.imports.contains(export))
            .map(|stack| stack.name.clone())
            .collect();
        names.sort();
        names
    }
}

impl Run {
    /// Evaluates the outputs and ends the forward way: what was the goal is deployed.
    ///
    /// # Errors
    /// An output has no value, its export belongs to another stack, or others use one that would go or change.
    pub(super) async fn publish_outputs(&self, phase: Status) -> Result<(), String> {
        let blueprint = self.blueprint(self.cell.peek(|stack| stack.goal.clone())).await?;
        // Two stacks that export the same name at the same time must not both succeed.
        let _one_at_a_time = self.cfn.registry.naming.lock().await;
        let stack = self.cell.get();
        let region = stack.scope.region.clone();
        let exports = self.cfn.export_values(&region);
        let found = self.cell.peek(|stack| blueprint.outputs(stack, &exports))?;
        self.check_exports(&stack, &found.value)?;
        let needed = self.imports_of_resources(&blueprint, &exports)?;
        self.cell
            .record(|stack, events| {
                if stack.status != phase {
                    return;
                }
                stack.outputs = found.value;
                stack.imports = needed.into_iter().chain(found.imports).collect();
                stack.deployed = stack.goal.take();
                let next = if phase == Status::CreateInProgress {
                    Status::CreateComplete
                } else {
                    Status::UpdateCompleteCleanupInProgress
                };
                self.set_status(stack, events, next, None);
            })
            .await;
        Ok(())
    }

    /// Which exports the resources as deployed use; an update may have given some up.
    fn imports_of_resources(
        &self,
        blueprint: &super::blueprint::Blueprint,
        exports: &BTreeMap<String, String>,
    ) -> Result<BTreeSet<String>, String> {
        if !blueprint.parsed.final_text().contains("ImportValue") {
            return Ok(BTreeSet::new());
        }
        let names = blueprint.resources();
        self.cell
            .peek(|stack| {
                let intents = names.iter().map(|name| blueprint.intent(stack, exports, name));
                intents.map(|intent| intent.map(|found| found.imports)).collect::<Result<Vec<_>, _>>()
            })
            .map(|sets| sets.into_iter().flatten().collect())
    }

    fn check_exports(&self, stack: &Stack, outputs: &[Output]) -> Result<(), String> {
        let region = &stack.scope.region;
        let others = self.cfn.exports(region);
        for output in outputs {
            let Some(name) = &output.export else { continue };
            if let Some(other) = others.iter().find(|other| other.name == *name && other.stack_id != stack.id) {
                return Err(format!("Export with name {name} is already exported by stack {}.", other.stack_name));
            }
            if outputs.iter().filter(|other| other.export.as_ref() == Some(name)).count() > 1 {
                return Err(format!("Export with name {name} is exported more than once by this stack."));
            }
        }
        for old in &stack.outputs {
            let Some(name) = &old.export else { continue };
            let new = outputs.iter().find(|output| output.export.as_ref() == Some(name));
            let what = match new {
                None => "deleted",
                Some(new) if new.value != old.value => "updated",
                Some(_) => continue,
            };
            if let Some(users) = self.users(region, name) {
                return Err(format!("Export {name} cannot be {what} as it is in use by {users}."));
            }
        }
        Ok(())
    }

    /// Why the stack cannot be deleted, if others use what it exports.
    pub(super) fn export_in_use(&self) -> Option<String> {
        let stack = self.cell.get();
        stack.outputs.iter().filter_map(|output| output.export.as_ref()).find_map(|name| {
            let users = self.users(&stack.scope.region, name)?;
            Some(format!("Export {name} cannot be deleted as it is in use by {users}"))
        })
    }

    fn users(&self, region: &str, export: &str) -> Option<String> {
        let own = self.cell.get().name.clone();
        let users: Vec<String> = self.cfn.importers(region, export).into_iter().filter(|name| *name != own).collect();
        (!users.is_empty()).then(|| users.join(" and "))
    }
}
