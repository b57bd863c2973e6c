//! IAM and STS through the dispatcher, in memory.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::resource::ResourceContext;
use crate::scope::Scope;
use crate::services::{iam, sts};

struct World {
    cloud: Arc<Cloud>,
    _home: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cloud = Cloud::new(Parts::of_test(dir.path()));
        cloud.register(vec![iam::open(&cloud).unwrap(), sts::open(&cloud).unwrap()]);
        World { cloud, _home: dir }
    }

    async fn ask(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.cloud.call(&Scope::root("us-east-1"), "iam", operation, input).await
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.ask(operation, input).await.unwrap()
    }

    async fn refused(&self, operation: &str, input: Value) -> String {
        self.ask(operation, input).await.unwrap_err().code
    }

    fn context(&self) -> ResourceContext {
        ResourceContext {
            cloud: self.cloud.clone(),
            scope: Scope::root("us-east-1"),
            service: "iam",
            stack_id: "arn:stack".into(),
            stack_name: "lab".into(),
            logical_id: "Thing".into(),
            token: "token-1234".into(),
            stack_tags: vec![
                ("aws:cloudformation:stack-id".into(), "arn:stack".into()),
                ("aws:cloudformation:logical-id".into(), "Thing".into()),
                ("labctl:lab".into(), "x".into()),
            ],
            old_stack_tags: Vec::new(),
            express: false,
        }
    }
}

fn trust(principal: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})
}

fn policy() -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}).to_string()
}

fn lambda_trust() -> String {
    trust(&json!({"Service": "lambda.amazonaws.com"})).to_string()
}

const BASIC: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

#[tokio::test]
async fn a_role_is_deleted_only_when_nothing_holds_it() {
    let world = World::new();
    world.ok("CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": lambda_trust()})).await;
    assert_eq!(
        world.refused("CreateRole", json!({"RoleName": "R", "AssumeRolePolicyDocument": lambda_trust()})).await,
        "EntityAlreadyExists"
    );
    world.ok("AttachRolePolicy", json!({"RoleName": "r", "PolicyArn": BASIC})).await;
    world.ok("PutRolePolicy", json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": policy()})).await;
    world.ok("CreateInstanceProfile", json!({"InstanceProfileName": "i"})).await;
    world.ok("AddRoleToInstanceProfile", json!({"InstanceProfileName": "i", "RoleName": "r"})).await;
    for (operation, input) in [
        ("RemoveRoleFromInstanceProfile", json!({"InstanceProfileName": "i", "RoleName": "r"})),
        ("DetachRolePolicy", json!({"RoleName": "r", "PolicyArn": BASIC})),
        ("DeleteRolePolicy", json!({"RoleName": "r", "PolicyName": "p"})),
    ] {
        assert_eq!(world.refused("DeleteRole", json!({"RoleName": "r"})).await, "DeleteConflict");
        world.ok(operation, input).await;
    }
    world.ok("DeleteRole", json!({"RoleName": "r"})).await;
    assert_eq!(world.refused("GetRole", json!({"RoleName": "r"})).await, "NoSuchEntity");
}

#[tokio::test]
async fn limits_hold() {
    let world = World::new();
    world.ok("CreateUser", json!({"UserName": "u"})).await;
    for _ in 0..2 {
        world.ok("CreateAccessKey", json!({"UserName": "u"})).await;
    }
    assert_eq!(world.refused("CreateAccessKey", json!({"UserName": "u"})).await, "LimitExceeded");
    let arn =
        world.ok("CreatePolicy", json!({"PolicyName": "p", "PolicyDocument": policy()})).await["Policy"]["Arn"].clone();
    for _ in 0..4 {
        world
            .ok("CreatePolicyVersion", json!({"PolicyArn": arn, "PolicyDocument": policy(), "SetAsDefault": true}))
            .await;
    }
    assert_eq!(
        world.refused("CreatePolicyVersion", json!({"PolicyArn": arn, "PolicyDocument": policy()})).await,
        "LimitExceeded"
    );
    assert_eq!(world.refused("DeletePolicy", json!({"PolicyArn": arn})).await, "DeleteConflict");
    assert_eq!(
        world.refused("TagUser", json!({"UserName": "u", "Tags": [{"Key": "aws:x", "Value": "y"}]})).await,
        "InvalidInput"
    );
    let huge = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": vec!["s3:GetObject"; 200], "Resource": "*"}]});
    assert_eq!(
        world
            .refused("PutUserPolicy", json!({"UserName": "u", "PolicyName": "p", "PolicyDocument": huge.to_string()}))
            .await,
        "LimitExceeded"
    );
    assert_eq!(world.ok("ListUserPolicies", json!({"UserName": "u"})).await["PolicyNames"], json!([]));
}

#[tokio::test]
async fn an_access_key_opens_the_door_until_it_is_closed() {
    let world = World::new();
    world.ok("CreateUser", json!({"UserName": "u"})).await;
    let key = world.ok("CreateAccessKey", json!({"UserName": "u"})).await["AccessKey"]["AccessKeyId"].clone();
    let id = key.as_str().unwrap();
    let known = || world.cloud.credentials.identify(id, None, world.cloud.clock.now()).is_ok();
    assert!(known());
    world.ok("UpdateAccessKey", json!({"UserName": "u", "AccessKeyId": key, "Status": "Inactive"})).await;
    assert!(!known());
    world.ok("UpdateAccessKey", json!({"UserName": "u", "AccessKeyId": key, "Status": "Active"})).await;
    assert!(known());
    world.ok("DeleteAccessKey", json!({"UserName": "u", "AccessKeyId": key})).await;
    assert!(!known());
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_it_trusts_and_nobody_else() {
    let world = World::new();
    world.ok("CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": lambda_trust()})).await;
    let ask = json!({"RoleArn": "arn:aws:iam::000000000000:role/r", "RoleSessionName": "f"});
    let root = Scope::root("us-east-1");
    let assumed =
        world.cloud.call(&root.as_service("lambda.amazonaws.com"), "sts", "AssumeRole", ask.clone()).await.unwrap();
    let credentials = &assumed["Credentials"];
    let token = credentials["SessionToken"].as_str();
    let found = world
        .cloud
        .credentials
        .identify(credentials["AccessKeyId"].as_str().unwrap(), token, world.cloud.clock.now())
        .unwrap();
    assert_eq!(found.secret.expose(), credentials["SecretAccessKey"].as_str().unwrap());
    let scope = Scope { caller: found.caller, ..root.clone() };
    let who = world.cloud.call(&scope, "sts", "GetCallerIdentity", json!({})).await.unwrap();
    assert_eq!(who["Arn"], "arn:aws:sts::000000000000:assumed-role/r/f");
    let refused = world.cloud.call(&root, "sts", "AssumeRole", ask).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.status), ("AccessDenied", Some(403)));
}

#[tokio::test]
async fn cloudformation_makes_changes_and_removes_a_role_and_finds_its_own_again() {
    let world = World::new();
    let cx = world.context();
    let role = world.cloud.resource_type("AWS::IAM::Role").unwrap();
    let old = json!({
        "AssumeRolePolicyDocument": trust(&json!({"Service": "lambda.amazonaws.com"})), "ManagedPolicyArns": [BASIC],
        "Policies": [{"PolicyName": "p", "PolicyDocument": serde_json::from_str::<Value>(&policy()).unwrap()}],
        "Tags": [{"Key": "own", "Value": "1"}],
    });
    let made = role.create(&cx, &old).await.unwrap();
    assert_eq!(role.create(&cx, &old).await.unwrap(), made);
    let name = made.physical_id.clone();
    assert_eq!(made.attributes["Arn"], format!("arn:aws:iam::000000000000:role/{name}"));
    let new = json!({"AssumeRolePolicyDocument": trust(&json!({"Service": "rds.amazonaws.com"})), "Description": "d"});
    role.update(&cx, &name, &old, &new).await.unwrap();
    let found = world.ok("GetRole", json!({"RoleName": name})).await;
    assert_eq!(found["Role"]["Description"], "d");
    assert!(found["Role"]["AssumeRolePolicyDocument"].as_str().unwrap().contains("rds.amazonaws.com"));
    assert!(found["Role"]["Tags"].as_array().unwrap().iter().all(|tag| tag["Key"] != "own"));
    assert_eq!(world.ok("ListAttachedRolePolicies", json!({"RoleName": name})).await["AttachedPolicies"], json!([]));
    assert_eq!(world.ok("ListRolePolicies", json!({"RoleName": name})).await["PolicyNames"], json!([]));
    role.delete(&cx, &name, &new).await.unwrap();
    role.delete(&cx, &name, &new).await.unwrap();
}

#[tokio::test]
async fn cloudformation_does_not_take_over_a_role_of_somebody_else() {
    let world = World::new();
    world.ok("CreateRole", json!({"RoleName": "mine", "AssumeRolePolicyDocument": lambda_trust()})).await;
    let role = world.cloud.resource_type("AWS::IAM::Role").unwrap();
    let properties = json!({"RoleName": "mine", "AssumeRolePolicyDocument": lambda_trust()});
    let refused = role.create(&world.context(), &properties).await.unwrap_err();
    assert_eq!((refused.handler_code, refused.fault.code.as_str()), ("AlreadyExists", "EntityAlreadyExists"));
}

#[tokio::test]
async fn cloudformation_keeps_policies_and_profiles() {
    let world = World::new();
    let cx = world.context();
    world.ok("CreateRole", json!({"RoleName": "r", "AssumeRolePolicyDocument": lambda_trust()})).await;
    let document: Value = serde_json::from_str(&policy()).unwrap();
    let managed = world.cloud.resource_type("AWS::IAM::ManagedPolicy").unwrap();
    let mut old = json!({"PolicyDocument": document, "Roles": ["r"]});
    let arn = managed.create(&cx, &old).await.unwrap().physical_id;
    for round in 0..7 {
        let mut new = old.clone();
        new["PolicyDocument"]["Statement"][0]["Sid"] = json!(format!("S{round}"));
        managed.update(&cx, &arn, &old, &new).await.unwrap();
        old = new;
    }
    let inline = world.cloud.resource_type("AWS::IAM::Policy").unwrap();
    let properties = json!({"PolicyName": "i", "PolicyDocument": document, "Roles": ["r"]});
    inline.create(&cx, &properties).await.unwrap();
    let profile = world.cloud.resource_type("AWS::IAM::InstanceProfile").unwrap();
    let id = profile.create(&cx, &json!({"Roles": ["r"]})).await.unwrap().physical_id;
    assert_eq!(world.refused("DeleteRole", json!({"RoleName": "r"})).await, "DeleteConflict");
    profile.delete(&cx, &id, &json!({"Roles": ["r"]})).await.unwrap();
    inline.delete(&cx, "", &properties).await.unwrap();
    managed.delete(&cx, &arn, &old).await.unwrap();
    world.ok("DeleteRole", json!({"RoleName": "r"})).await;
}

#[tokio::test]
async fn a_principal_may_do_what_its_policies_its_groups_and_its_boundary_allow_together() {
    let world = World::new();
    let allow = |action: &str| {
        let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        json!({"Version": "2012-10-17", "Statement": statement}).to_string()
    };
    let user = world.ok("CreateUser", json!({"UserName": "ann"})).await["User"]["Arn"].clone();
    let decision = async |action: &str| {
        let input = json!({"PolicySourceArn": user, "ActionNames": [action]});
        world.ok("SimulatePrincipalPolicy", input).await["EvaluationResults"][0]["EvalDecision"].clone()
    };
    assert_eq!(decision("rds-db:connect").await, "implicitDeny");
    world.ok("CreateGroup", json!({"GroupName": "g"})).await;
    let policy = json!({"GroupName": "g", "PolicyName": "p", "PolicyDocument": allow("rds-db:*")});
    world.ok("PutGroupPolicy", policy).await;
    world.ok("AddUserToGroup", json!({"GroupName": "g", "UserName": "ann"})).await;
    assert_eq!(decision("rds-db:connect").await, "allowed");
    let bound = world.ok("CreatePolicy", json!({"PolicyName": "b", "PolicyDocument": allow("s3:*")})).await;
    let boundary = json!({"UserName": "ann", "PermissionsBoundary": bound["Policy"]["Arn"]});
    world.ok("PutUserPermissionsBoundary", boundary).await;
    assert_eq!(decision("rds-db:connect").await, "implicitDeny");
    assert_eq!(decision("s3:GetObject").await, "implicitDeny");
}
