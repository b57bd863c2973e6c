//! STS and IAM in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use serde::Serialize;

/// Who the credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caller {
    pub account: String,
    pub arn: String,
}

impl Caller {
    /// The last part of the ARN: a user's or a session's name.
    pub fn name(&self) -> &str {
        self.arn.rsplit(['/', ':']).next().unwrap_or(&self.arn)
    }
}

impl Aws {
    pub async fn caller(&self) -> Result<Caller, AwsError> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let answer = self.sts().get_caller_identity().send().await.map_err(AwsError::of(OPERATION))?;
        let missing = |missing| AwsError::Incomplete { operation: OPERATION, missing };
        let account = answer.account().ok_or_else(|| missing("Account"))?.to_owned();
        Ok(Caller { account, arn: answer.arn().ok_or_else(|| missing("Arn"))?.to_owned() })
    }

    /// Roles whose names begin with `prefix`.
    pub async fn roles(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self.iam().list_roles().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("iam:ListRoles"))?;
            let names = page.roles().iter().map(|role| role.role_name());
            found.extend(names.filter(|name| name.starts_with(prefix)).map(str::to_owned));
        }
        Ok(found)
    }
}
