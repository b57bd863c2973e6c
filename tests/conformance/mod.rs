//! Real clients (SDK, AWS CLI, boto3, mysql, redis-cli) against each service.

mod apigateway;
mod apigatewayv2;
mod cloudformation;
mod ec2;
mod elasticache;
mod frontdoor;
mod hostile;
mod iam;
mod lambda;
mod logs;
mod quicksight;
mod rds;
mod rds_data;
mod rds_data_types;
mod rds_pause;
mod s3;
mod secretsmanager;
mod stacks;
mod sts;
mod xray;
