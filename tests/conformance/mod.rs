//! Real clients (SDK, AWS CLI, boto3, mysql, redis-cli) against each service.

mod hostile;
mod iam;
mod cloudformation;
mod sts;
