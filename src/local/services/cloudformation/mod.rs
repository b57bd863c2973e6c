//! CloudFormation in the local cloud: its own engine over the resource types that the services provide.
//!
//! A request becomes a [`state::Deployment`] (`prepare`), is checked (`validate`), and either answered as a change set
//! (`changeset`) or begun: the stack's status changes on disk and the [`engine`] takes it from phase to phase
//! (`provision`, `rollback`, `remove`) until it rests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use tokio::task::JoinHandle;

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::operations;
use crate::resource::ResourceType;
use crate::service::{self, Operation, Service, Support};
use crate::store::StoreError;

mod begin;
mod blueprint;
mod cell;
mod cfn;
mod changeset;
mod engine;
mod events;
mod faults;
mod ops;
mod order;
mod outputs;
mod prepare;
mod provision;
mod registry;
mod remove;
mod rollback;
mod secrets;
mod source;
mod state;
mod status;
mod templates;
#[cfg(test)]
mod tests;
mod update;
mod validate;
mod walk;
mod world;

/// The operations that work here.
const OPERATIONS: &[Operation<CloudFormation>] = operations!(CloudFormation;
    Real CancelUpdateStack => ops::lifecycle::cancel_update,
    Real ContinueUpdateRollback => ops::lifecycle::continue_rollback,
    Real CreateChangeSet => ops::changesets::create,
    Real CreateStack => ops::deploy::create,
    Real DeleteChangeSet => ops::changesets::delete,
    Real DeleteStack => ops::lifecycle::delete,
    Real DescribeAccountLimits => ops::account::limits,
    Real DescribeChangeSet => ops::changesets::describe,
    Real DescribeEvents => ops::history::events,
    Real DescribeStackEvents => ops::history::stack_events,
    Real DescribeStackResource => ops::resources::describe_one,
    Real DescribeStackResources => ops::resources::describe,
    Real DescribeStacks => ops::stacks::describe,
    Real DescribeType => ops::account::describe_type,
    Real ExecuteChangeSet => ops::changesets::execute,
    Real GetTemplate => ops::templates::get,
    Real GetTemplateSummary => ops::templates::summary,
    Real ListChangeSets => ops::changesets::list,
    Real ListExports => ops::exports::list,
    Real ListImports => ops::exports::imports,
    Real ListStackResources => ops::resources::list,
    Real ListStacks => ops::stacks::list,
    Real ListTypes => ops::account::list_types,
    Real RollbackStack => ops::lifecycle::roll_back,
    Real UpdateStack => ops::deploy::update,
    Real UpdateTerminationProtection => ops::lifecycle::termination_protection,
    Real ValidateTemplate => ops::templates::validate,
);

/// The service's state and what it needs of the cloud.
pub struct CloudFormation {
    cloud: Arc<Cloud>,
    registry: registry::Registry,
    library: templates::Library,
    /// The engine's tasks, by stack id.
    runners: Mutex<HashMap<String, JoinHandle<()>>>,
    me: Weak<CloudFormation>,
}

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    Ok(open_concrete(cloud)?)
}

fn open_concrete(cloud: &Arc<Cloud>) -> Result<Arc<CloudFormation>, StoreError> {
    let root = cloud.home.state("cloudformation");
    let registry = registry::Registry::open(root.join("stacks"), cloud.clock.now())?;
    Ok(Arc::new_cyclic(|me| CloudFormation {
        cloud: cloud.clone(),
        registry,
        library: templates::Library::new(root.join("templates")),
        runners: Mutex::default(),
        me: me.clone(),
    }))
}

#[async_trait]
impl Service for CloudFormation {
    fn name(&self) -> &'static str {
        "cloudformation"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        service::run(self, OPERATIONS, call).await
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types(&self.me)
    }

    /// Takes up every operation that a stop or a kill interrupted.
    async fn start(self: Arc<Self>) -> Result<(), Fault> {
        for cell in self.registry.everywhere() {
            if cell.get().status.in_progress() {
                engine::kick(&self, &cell);
            }
        }
        Ok(())
    }

    /// Lets go of the operations at work; the next start takes them up.
    async fn stop(self: Arc<Self>) {
        let runners = std::mem::take(&mut *self.runners.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, runner) in runners {
            runner.abort();
        }
    }
}
