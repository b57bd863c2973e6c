//! Real clients (SDK, AWS CLI, boto3, mysql, redis-cli) against each service.

mod cloudformation;
mod hostile;
mod iam;
mod s3;
mod secretsmanager;
mod sts;

mod apigateway;
mod lambda;
mod logs;
