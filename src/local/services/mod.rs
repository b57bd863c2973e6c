//! The services, one folder each. No service touches another's state.

use std::sync::Arc;

use super::cloud::Cloud;
use super::service::Service;
use super::store::StoreError;

pub mod apigateway;
pub mod apigatewayv2;
pub mod cloudformation;
pub mod ec2;
pub mod elasticache;
pub mod iam;
pub mod lambda;
pub mod logs;
pub mod quicksight;
pub mod rds;
pub mod rds_data;
pub mod s3;
pub mod secretsmanager;
pub mod sts;
pub mod xray;

/// Every service of the local cloud, reading what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn all(cloud: &Arc<Cloud>) -> Result<Vec<Arc<dyn Service>>, StoreError> {
    Ok(vec![
        apigateway::open(cloud)?,
        apigatewayv2::open(cloud)?,
        cloudformation::open(cloud)?,
        ec2::open(cloud)?,
        elasticache::open(cloud)?,
        iam::open(cloud)?,
        lambda::open(cloud)?,
        logs::open(cloud)?,
        quicksight::open(cloud)?,
        rds::open(cloud)?,
        rds_data::open(cloud)?,
        s3::open(cloud)?,
        secretsmanager::open(cloud)?,
        sts::open(cloud)?,
        xray::open(cloud)?,
    ])
}
