//! `AWS::XRay::Group` and `AWS::XRay::SamplingRule`.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::{Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, TagForm};

pub(super) fn types() -> Vec<ResourceType> {
    let group = ["GroupName", "FilterExpression", "InsightsConfiguration", "Tags"];
    vec![
        ResourceType::new("AWS::XRay::Group", &group, Group)
            .fixed(&["GroupName"])
            .defaults(|_| json!({"FilterExpression": "", "InsightsConfiguration": {"InsightsEnabled": false}})),
        ResourceType::new("AWS::XRay::SamplingRule", &["RuleName", "SamplingRule", "Tags"], SamplingRule)
            .fixed(&["RuleName"])
            .kept(&[&["SamplingRule"]]),
    ]
}

async fn retag(cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    cx.retag(("UntagResource", "TagResource"), json!({"ResourceARN": arn}), TagForm::List, (old, new)).await
}

struct Group;

impl Group {
    fn provisioned(arn: &str) -> Provisioned {
        Provisioned::with(arn, json!({"GroupARN": arn}))
    }
}

#[async_trait]
impl Provider for Group {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = properties.pick(&["GroupName", "FilterExpression", "InsightsConfiguration"]);
        input["Tags"] = cx.tags(properties);
        let made = cx.ask("CreateGroup", input).await?;
        Ok(Group::provisioned(made["Group"].text("GroupARN")))
    }

    async fn update(&self, cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Made {
        let mut input = new.pick(&["FilterExpression", "InsightsConfiguration"]);
        input["GroupARN"] = json!(arn);
        cx.ask("UpdateGroup", input).await?;
        retag(cx, arn, old, new).await?;
        Ok(Group::provisioned(arn))
    }

    async fn delete(&self, cx: &ResourceContext, arn: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteGroup", json!({"GroupARN": arn})).await
    }
}

struct SamplingRule;

impl SamplingRule {
    fn provisioned(arn: &str) -> Provisioned {
        Provisioned::with(arn, json!({"RuleARN": arn}))
    }

    /// The rule as the API takes it: named by the template or by us, and of version 1.
    fn rule(cx: &ResourceContext, properties: &Value) -> Value {
        let mut rule = properties["SamplingRule"].clone();
        let named = properties["RuleName"].as_str().or(rule["RuleName"].as_str()).map(str::to_owned);
        rule["RuleName"] = json!(named.unwrap_or_else(|| cx.generated_name(32)));
        if rule.get("Version").is_none() {
            rule["Version"] = json!(1);
        }
        rule
    }
}

#[async_trait]
impl Provider for SamplingRule {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        if properties.get("SamplingRule").is_none() {
            return Err(ResourceFault::new(
                "InvalidRequest",
                "AWS::XRay::SamplingRule needs the property SamplingRule",
            ));
        }
        let input = json!({"SamplingRule": SamplingRule::rule(cx, properties), "Tags": cx.tags(properties)});
        let made = cx.ask("CreateSamplingRule", input).await?;
        Ok(SamplingRule::provisioned(made["SamplingRuleRecord"]["SamplingRule"].text("RuleARN")))
    }

    async fn update(&self, cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Made {
        if old["SamplingRule"]["RuleName"] != new["SamplingRule"]["RuleName"] {
            let what = "a change of the property SamplingRule.RuleName of AWS::XRay::SamplingRule";
            return Err(Fault::unsupported(what).into());
        }
        let mut update = new["SamplingRule"].clone();
        if let Some(members) = update.as_object_mut() {
            for name in ["RuleName", "Version"] {
                members.shift_remove(name);
            }
            // What the template no longer says goes back to none.
            members.entry("Attributes").or_insert_with(|| json!({}));
        }
        update["RuleARN"] = json!(arn);
        cx.ask("UpdateSamplingRule", json!({"SamplingRuleUpdate": update})).await?;
        retag(cx, arn, old, new).await?;
        Ok(SamplingRule::provisioned(arn))
    }

    async fn delete(&self, cx: &ResourceContext, arn: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteSamplingRule", json!({"RuleARN": arn})).await
    }
}
