//! The Data API: SQL over HTTP. It logs in to clusters as a client does, over the front door's private socket, with the
//! user of the secret; so Aurora's own statements work here too.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::operations;
use crate::service::{self, Operation, Service, Support};
use crate::store::StoreError;

mod faults;
mod ops;
mod parameters;
mod permission;
mod pool;
mod results;
mod run;
mod statement;
mod target;
#[cfg(test)]
mod tests;
mod transactions;

use permission::Allowed;
use pool::Pool;
use transactions::Transactions;

/// How often idle connections and abandoned transactions are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// The operations that work here.
const OPERATIONS: &[Operation<RdsData>] = operations!(RdsData;
    Real ExecuteStatement => ops::execute,
    Real BatchExecuteStatement => ops::batch,
    Real BeginTransaction => ops::begin,
    Real CommitTransaction => ops::commit,
    Real RollbackTransaction => ops::rollback,
    Modelled ExecuteSql => ops::execute_sql,
);

/// The service: connections and transactions, all gone after a restart.
pub struct RdsData {
    cloud: Arc<Cloud>,
    pool: Pool,
    transactions: Transactions,
    allowed: Allowed,
}

/// Opens the service.
///
/// # Errors
/// None: it keeps nothing on disk.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    Ok(Arc::new(RdsData {
        cloud: cloud.clone(),
        pool: Pool::default(),
        transactions: Transactions::default(),
        allowed: Allowed::default(),
    }))
}

#[async_trait]
impl Service for RdsData {
    fn name(&self) -> &'static str {
        "rds-data"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        service::run(self, OPERATIONS, call).await
    }

    async fn start(self: Arc<Self>) -> Result<(), Fault> {
        let data = Arc::downgrade(&self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(data) = data.upgrade() else { return };
                data.pool.sweep();
                data.transactions.sweep(data.cloud.clock.now());
            }
        });
        Ok(())
    }

    async fn stop(self: Arc<Self>) {
        self.transactions.close();
        self.pool.close();
    }
}
