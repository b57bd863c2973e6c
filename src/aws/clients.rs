//! One SDK client per service, made when first asked for.

use super::target::Target;
use std::sync::OnceLock;

/// A target and its SDK clients.
#[derive(Debug)]
pub struct Aws {
    target: Target,
    cloudformation: OnceLock<aws_sdk_cloudformation::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    lambda: OnceLock<aws_sdk_lambda::Client>,
    rds: OnceLock<aws_sdk_rds::Client>,
    rdsdata: OnceLock<aws_sdk_rdsdata::Client>,
    ec2: OnceLock<aws_sdk_ec2::Client>,
    elasticache: OnceLock<aws_sdk_elasticache::Client>,
    apigateway: OnceLock<aws_sdk_apigateway::Client>,
    apigatewayv2: OnceLock<aws_sdk_apigatewayv2::Client>,
    logs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
    secrets: OnceLock<aws_sdk_secretsmanager::Client>,
    xray: OnceLock<aws_sdk_xray::Client>,
}

macro_rules! client {
    ($($name:ident: $service:ident;)*) => {$(
        pub fn $name(&self) -> &$service::Client {
            self.$name.get_or_init(|| $service::Client::new(&self.target.config))
        }
    )*};
}

impl Aws {
    pub fn new(target: Target) -> Self {
        Aws {
            target,
            cloudformation: OnceLock::new(),
            s3: OnceLock::new(),
            lambda: OnceLock::new(),
            rds: OnceLock::new(),
            rdsdata: OnceLock::new(),
            ec2: OnceLock::new(),
            elasticache: OnceLock::new(),
            apigateway: OnceLock::new(),
            apigatewayv2: OnceLock::new(),
            logs: OnceLock::new(),
            iam: OnceLock::new(),
            sts: OnceLock::new(),
            secrets: OnceLock::new(),
            xray: OnceLock::new(),
        }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    client! {
        cloudformation: aws_sdk_cloudformation;
        lambda: aws_sdk_lambda;
        rds: aws_sdk_rds;
        rdsdata: aws_sdk_rdsdata;
        ec2: aws_sdk_ec2;
        elasticache: aws_sdk_elasticache;
        apigateway: aws_sdk_apigateway;
        apigatewayv2: aws_sdk_apigatewayv2;
        logs: aws_sdk_cloudwatchlogs;
        iam: aws_sdk_iam;
        sts: aws_sdk_sts;
        secrets: aws_sdk_secretsmanager;
        xray: aws_sdk_xray;
    }

    /// A bucket's name is a host name on AWS, and a path everywhere else.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let config = aws_sdk_s3::config::Builder::from(&self.target.config)
                .force_path_style(self.target.config.endpoint_url().is_some());
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }
}
