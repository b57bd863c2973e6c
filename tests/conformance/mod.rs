//! Real clients (SDK, AWS CLI, boto3, mysql, redis-cli) against each service.

mod apigateway;
mod cloudformation;
mod ec2;
mod elasticache;
mod hostile;
mod iam;
mod lambda;
mod logs;
mod s3;
mod secretsmanager;
mod sts;
