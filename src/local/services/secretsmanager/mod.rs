//! Secrets Manager: secrets with versions and stages, kept in a file that only its owner can read.

use std::sync::Arc;

use async_trait::async_trait;
use rand::RngExt;

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::operations;
use crate::resource::ResourceType;
use crate::service::{self, Operation, Service, Support};
use crate::store::{Shelf, StoreError};

mod cfn;
mod faults;
mod ops;
mod password;
mod state;
#[cfg(test)]
mod tests;

use state::Secrets;

/// The operations that work here. Rotation needs a function that rotates: it is refused until there is one.
const OPERATIONS: &[Operation<SecretsManager>] = operations!(SecretsManager;
    Real CreateSecret => ops::secrets::create,
    Real UpdateSecret => ops::secrets::update,
    Real DescribeSecret => ops::secrets::describe,
    Real ListSecrets => ops::secrets::list,
    Real DeleteSecret => ops::secrets::delete,
    Real RestoreSecret => ops::secrets::restore,
    Real GetRandomPassword => ops::secrets::password,
    Real GetSecretValue => ops::values::get,
    Real BatchGetSecretValue => ops::values::batch,
    Real PutSecretValue => ops::values::put,
    Real UpdateSecretVersionStage => ops::values::move_stage,
    Real ListSecretVersionIds => ops::values::versions,
    Real TagResource => ops::tags::tag,
    Real UntagResource => ops::tags::untag,
    Modelled PutResourcePolicy => ops::policy::put,
    Modelled GetResourcePolicy => ops::policy::get,
    Modelled DeleteResourcePolicy => ops::policy::delete,
    Modelled ValidateResourcePolicy => ops::policy::validate,
);

/// The layout of the state on disk.
const LAYOUT: u32 = 1;

/// The service's state and what it needs of the cloud.
pub struct SecretsManager {
    cloud: Arc<Cloud>,
    shelf: Shelf<Secrets>,
}

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    let shelf = Shelf::open(cloud.home.state("secretsmanager").join("secrets.json"), LAYOUT)?;
    Ok(Arc::new(SecretsManager { cloud: cloud.clone(), shelf }))
}

impl SecretsManager {
    /// The six random characters at the end of an ARN: letters of both cases and digits.
    fn suffix(&self) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let mut random = rand::rng();
        (0..6).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
    }
}

#[async_trait]
impl Service for SecretsManager {
    fn name(&self) -> &'static str {
        "secretsmanager"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        service::run(self, OPERATIONS, call).await
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }
}
