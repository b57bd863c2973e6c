//! QuickSight: VPC connections, data sources, data sets and dashboards as records, with AWS's rules about what refers to what.
//!
//! Nothing is drawn and no data source is connected to: whatever would have to show something (embedding, snapshots, SPICE) is
//! refused by name. What a template or a client gets wrong is found here all the same.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::resource::ResourceType;
use crate::service::{self, Grade, Operation, Service, Support};
use crate::store::{Shelf, StoreError};

mod cfn;
mod definition;
mod faults;
mod kind;
mod ops;
mod state;
#[cfg(test)]
mod tests;

use kind::Kind::{Dashboard, DataSet, DataSource, VpcConnection};
use ops::{assets, dashboards, permissions, subscription, tags};
use state::Assets;

/// Rows of operations on one kind of asset, and of the others.
macro_rules! table {
    ($($name:ident => $run:path, $kind:expr;)* | $($other:ident => $ran:path;)*) => {
        &[
            $(Operation { name: stringify!($name), grade: Grade::Modelled, run: |service: Arc<QuickSight>, call| {
                Box::pin(async move { answered(&call, $run(&service, $kind, &call).await) })
            } },)*
            $(Operation { name: stringify!($other), grade: Grade::Modelled, run: |service: Arc<QuickSight>, call| {
                Box::pin(async move { answered(&call, $ran(&service, &call).await) })
            } },)*
        ]
    };
}

/// The operations that work here.
const OPERATIONS: &[Operation<QuickSight>] = table![
    CreateVPCConnection => assets::create, VpcConnection;
    UpdateVPCConnection => assets::update, VpcConnection;
    DescribeVPCConnection => assets::describe, VpcConnection;
    DeleteVPCConnection => assets::delete, VpcConnection;
    ListVPCConnections => assets::list, VpcConnection;
    CreateDataSource => assets::create, DataSource;
    UpdateDataSource => assets::update, DataSource;
    DescribeDataSource => assets::describe, DataSource;
    DeleteDataSource => assets::delete, DataSource;
    ListDataSources => assets::list, DataSource;
    DescribeDataSourcePermissions => permissions::describe, DataSource;
    UpdateDataSourcePermissions => permissions::update, DataSource;
    CreateDataSet => assets::create, DataSet;
    UpdateDataSet => assets::update, DataSet;
    DescribeDataSet => assets::describe, DataSet;
    DeleteDataSet => assets::delete, DataSet;
    ListDataSets => assets::list, DataSet;
    DescribeDataSetPermissions => permissions::describe, DataSet;
    UpdateDataSetPermissions => permissions::update, DataSet;
    CreateDashboard => assets::create, Dashboard;
    UpdateDashboard => assets::update, Dashboard;
    DescribeDashboard => assets::describe, Dashboard;
    DeleteDashboard => assets::delete, Dashboard;
    ListDashboards => assets::list, Dashboard;
    DescribeDashboardPermissions => permissions::describe, Dashboard;
    UpdateDashboardPermissions => permissions::update, Dashboard;
    |
    DescribeDashboardDefinition => dashboards::definition;
    ListDashboardVersions => dashboards::versions;
    UpdateDashboardPublishedVersion => dashboards::publish;
    DescribeAccountSubscription => subscription::describe;
    TagResource => tags::tag;
    UntagResource => tags::untag;
    ListTagsForResource => tags::list;
];

/// The layout of the state on disk.
const LAYOUT: u32 = 1;

/// The service's state and what it needs of the cloud.
pub struct QuickSight {
    cloud: Arc<Cloud>,
    shelf: Shelf<Assets>,
}

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    let shelf = Shelf::open(cloud.home.state("quicksight").join("assets.json"), LAYOUT)?;
    Ok(Arc::new(QuickSight { cloud: cloud.clone(), shelf }))
}

/// Every answer carries the request's id; its `Status` is the HTTP status, in the body or not, as the model says.
fn answered(call: &Call, output: Result<Value, faults::AssetFault>) -> Result<Reply, Fault> {
    let mut output = output?;
    output["RequestId"] = json!(call.request_id);
    if output.get("Status").is_none() {
        output["Status"] = json!(200);
    }
    Ok(Reply::from(output))
}

#[async_trait]
impl Service for QuickSight {
    fn name(&self) -> &'static str {
        "quicksight"
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

    fn status(&self) -> Value {
        match self.shelf.get().count() {
            0 => Value::Null,
            assets => json!({"assets": assets, "draws": "nothing: they are recorded only"}),
        }
    }
}
