//! Creation, its failure, and deletion.

use serde_json::{Value, json};

use super::harness::{World, before};

const CHAIN: &str = "
Resources:
  A: { Type: Test::Fake::Thing }
  B: { Type: Test::Fake::Thing }
  C:
    Type: Test::Fake::Thing
    Properties: { Name: !Sub '${A}-x', Of: !GetAtt B.Deep.Name }
  D: { Type: Test::Fake::Thing, DependsOn: C }
Outputs:
  OfC: { Value: !GetAtt C.Name, Description: of C }
";

#[tokio::test]
async fn what_can_be_made_at_once_is_and_the_rest_waits_for_what_it_needs() {
    let world = World::new().await;
    world.shop.hold("create A");
    world.shop.hold("create B");
    world.create(CHAIN).await;
    world.shop.asked("create A").await;
    world.shop.asked("create B").await;
    assert_eq!(world.shop.calls().len(), 2);
    world.shop.mend();
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    assert!(before(&world.shop.calls(), "create C", "create D"));
    let stack = world.stack("s").await;
    let output = &stack["Outputs"][0];
    assert!(output["OutputValue"].as_str().unwrap().starts_with("a."), "{output}");
    let c = world.shop.state().things.iter().find(|(id, _)| id.starts_with("c.")).unwrap().1.clone();
    assert_eq!(c["Of"], "b");
    let tags = world.shop.state().tags["C"].clone();
    assert!(tags.contains(&("aws:cloudformation:logical-id".into(), "C".into())), "{tags:?}");
}

#[tokio::test]
async fn events_come_in_aws_order_with_aws_words() {
    let world = World::new().await;
    let input = json!({"StackName": "s", "TemplateBody": "{Resources: {A: {Type: Test::Fake::Thing}}}", "ClientRequestToken": "mine"});
    world.ok("CreateStack", input).await;
    world.rest("s").await;
    let expected = [
        "s CREATE_IN_PROGRESS User Initiated",
        "A CREATE_IN_PROGRESS",
        "A CREATE_IN_PROGRESS Resource creation Initiated",
        "A CREATE_COMPLETE",
        "s CREATE_COMPLETE",
    ];
    assert_eq!(world.events("s").await, expected);
    let events = world.ok("DescribeStackEvents", json!({"StackName": "s"})).await;
    for event in events["StackEvents"].as_array().unwrap() {
        assert_eq!(event["ClientRequestToken"], "mine");
    }
    assert_eq!(events["StackEvents"][3]["PhysicalResourceId"], "");
}

#[tokio::test]
async fn a_failed_create_is_rolled_back_in_reverse_and_says_why() {
    let world = World::new().await;
    world.shop.fail("create C");
    world.create(CHAIN).await;
    assert_eq!(world.rest("s").await, "ROLLBACK_COMPLETE");
    assert!(world.shop.things().is_empty());
    let events = world.events("s").await.join("\n");
    assert!(
        events.contains("C CREATE_FAILED Resource handler returned message: \"no create C\" (RequestToken: "),
        "{events}"
    );
    assert!(events.contains(", HandlerErrorCode: InvalidRequest)"), "{events}");
    let reason = "s ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [C]. Rollback requested by user.";
    assert!(events.contains(reason), "{events}");
    assert!(!events.contains("D CREATE"), "{events}");
    let refused = world.refused("UpdateStack", json!({"StackName": "s", "TemplateBody": CHAIN})).await;
    assert!(refused.contains("is in ROLLBACK_COMPLETE state and can not be updated."), "{refused}");
}

#[tokio::test]
async fn what_is_under_way_when_another_fails_is_cancelled_and_taken_away() {
    let world = World::new().await;
    world.shop.hold("create A");
    world.shop.fail("create B");
    world.create("{Resources: {A: {Type: Test::Fake::Thing}, B: {Type: Test::Fake::Thing}}}").await;
    world.shop.asked("create A").await;
    world.shop.asked("create B").await;
    let cancelled = async {
        while !world.events("s").await.contains(&"A CREATE_FAILED Resource creation cancelled".to_owned()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), cancelled).await.unwrap();
    world.shop.mend();
    assert_eq!(world.rest("s").await, "ROLLBACK_COMPLETE");
    assert!(world.shop.things().is_empty());
    let events = world.events("s").await.join("\n");
    assert!(events.contains("failed to create: [B, A]. Rollback requested by user."), "{events}");
}

#[tokio::test]
async fn with_rollback_disabled_everything_stays_and_can_be_mended_or_rolled_back() {
    let world = World::new().await;
    world.shop.fail("create C");
    world.ok("CreateStack", json!({"StackName": "s", "TemplateBody": CHAIN, "DisableRollback": true})).await;
    assert_eq!(world.rest("s").await, "CREATE_FAILED");
    assert_eq!(world.shop.things(), ["a", "b"]);
    world.shop.mend();
    world.update(CHAIN).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    assert_eq!(world.shop.things(), ["a", "b", "c", "d"]);

    world.shop.fail("create C");
    world.ok("CreateStack", json!({"StackName": "t", "TemplateBody": CHAIN, "OnFailure": "DO_NOTHING"})).await;
    assert_eq!(world.rest("t").await, "CREATE_FAILED");
    world.ok("RollbackStack", json!({"StackName": "t"})).await;
    assert_eq!(world.rest("t").await, "ROLLBACK_COMPLETE");
    assert_eq!(world.shop.things(), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn on_failure_delete_leaves_nothing_but_the_events() {
    let world = World::new().await;
    world.shop.fail("create C");
    let made = world.ok("CreateStack", json!({"StackName": "s", "TemplateBody": CHAIN, "OnFailure": "DELETE"})).await;
    let id = made["StackId"].as_str().unwrap();
    assert_eq!(world.rest(id).await, "DELETE_COMPLETE");
    assert!(world.shop.things().is_empty());
    assert_eq!(
        world.refused("DescribeStacks", json!({"StackName": "s"})).await,
        "ValidationError: Stack with id s does not exist"
    );
    assert!(!world.events(id).await.is_empty());
}

#[tokio::test]
async fn a_stack_is_deleted_in_reverse_order_at_once_where_possible() {
    let world = World::new().await;
    world.create(CHAIN).await;
    world.rest("s").await;
    world.shop.forget_calls();
    let id = world.stack("s").await["StackId"].as_str().unwrap().to_owned();
    world.shop.hold("delete A");
    world.shop.hold("delete B");
    world.ok("DeleteStack", json!({"StackName": "s"})).await;
    world.shop.asked("delete A").await;
    world.shop.asked("delete B").await;
    world.shop.mend();
    assert_eq!(world.rest(&id).await, "DELETE_COMPLETE");
    let calls = world.shop.calls();
    assert_eq!(&calls[..2], ["delete D", "delete C"]);
    assert!(world.shop.things().is_empty());
    // Of nothing: success.
    world.ok("DeleteStack", json!({"StackName": "s"})).await;
    // The name is free again.
    world.create(CHAIN).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn a_delete_that_fails_names_the_resource_and_can_be_repeated_retaining_or_forcing() {
    let world = World::new().await;
    world.create(CHAIN).await;
    world.rest("s").await;
    let id = world.stack("s").await["StackId"].as_str().unwrap().to_owned();
    world.shop.fail("delete C");
    let early = world.refused("DeleteStack", json!({"StackName": "s", "RetainResources": ["C"]})).await;
    assert!(early.contains("DELETE_FAILED"), "{early}");
    world.ok("DeleteStack", json!({"StackName": "s"})).await;
    assert_eq!(world.rest("s").await, "DELETE_FAILED");
    assert_eq!(world.stack("s").await["StackStatusReason"], "The following resource(s) failed to delete: [C].");
    assert_eq!(world.shop.things(), ["a", "b", "c"]);
    world.ok("DeleteStack", json!({"StackName": "s", "RetainResources": ["C"]})).await;
    assert_eq!(world.rest(&id).await, "DELETE_COMPLETE");
    assert_eq!(world.shop.things(), ["c"]);
}

#[tokio::test]
async fn retained_resources_outlive_their_stack() {
    let world = World::new().await;
    world
        .create("{Resources: {A: {Type: Test::Fake::Thing, DeletionPolicy: Retain}, B: {Type: Test::Fake::Thing}}}")
        .await;
    world.rest("s").await;
    let id = world.stack("s").await["StackId"].as_str().unwrap().to_owned();
    world.ok("DeleteStack", json!({"StackName": "s"})).await;
    world.rest(&id).await;
    assert_eq!(world.shop.things(), ["a"]);
    assert!(world.events(&id).await.contains(&"A DELETE_SKIPPED".to_owned()));
}

#[tokio::test]
async fn a_delete_during_a_create_stops_it_and_takes_away_what_was_made() {
    let world = World::new().await;
    world.shop.hold("create B");
    world.create(CHAIN).await;
    world.shop.asked("create B").await;
    let id = world.stack("s").await["StackId"].as_str().unwrap().to_owned();
    world.ok("DeleteStack", json!({"StackName": "s"})).await;
    assert_eq!(world.stack("s").await["StackStatus"], "DELETE_IN_PROGRESS");
    world.shop.mend();
    assert_eq!(world.rest(&id).await, "DELETE_COMPLETE");
    assert!(world.shop.things().is_empty());
    assert!(!world.shop.calls().contains(&"create C".to_owned()));
}

#[tokio::test]
async fn an_export_in_use_can_neither_go_nor_change() {
    let world = World::new().await;
    let exporting = |name: &str| {
        format!(
            "{{Resources: {{A: {{Type: Test::Fake::Thing, Properties: {{Name: {name}}}}}}}, Outputs: {{X: {{Value: !GetAtt A.Name, Export: {{Name: x}}}}}}}}"
        )
    };
    world.create(&exporting("one")).await;
    world.rest("s").await;
    let importing = "{Resources: {B: {Type: Test::Fake::Thing, Properties: {Of: !ImportValue x}}}}";
    world.ok("CreateStack", json!({"StackName": "user", "TemplateBody": importing})).await;
    assert_eq!(world.rest("user").await, "CREATE_COMPLETE");
    assert_eq!(world.ok("ListImports", json!({"ExportName": "x"})).await["Imports"], json!(["user"]));
    assert_eq!(world.ok("ListExports", json!({})).await["Exports"][0]["Value"], "one");

    world.ok("DeleteStack", json!({"StackName": "s"})).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    let stack = world.stack("s").await;
    assert_eq!(stack["StackStatusReason"], "Export x cannot be deleted as it is in use by user");

    world.update(&exporting("two")).await;
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    let events = world.events("s").await.join("\n");
    assert!(events.contains("Export x cannot be updated as it is in use by user."), "{events}");
    assert_eq!(world.stack("s").await["Outputs"][0]["OutputValue"], "one");

    world.ok("CreateStack", json!({"StackName": "twin", "TemplateBody": exporting("three")})).await;
    assert_eq!(world.rest("twin").await, "ROLLBACK_COMPLETE");
    let reason = world.events("twin").await.join("\n");
    assert!(reason.contains("Export with name x is already exported by stack s."), "{reason}");
}

#[tokio::test]
async fn secrets_reach_the_provider_and_nothing_else() {
    let world = World::new().await;
    let template = "
Parameters: { Pin: { Type: String, NoEcho: true } }
Resources:
  A:
    Type: Test::Fake::Thing
    Properties: { Password: '{{resolve:secretsmanager:db:SecretString:password}}', Pin: !Ref Pin }
";
    let parameters = json!([{"ParameterKey": "Pin", "ParameterValue": "4711-4711"}]);
    world.ok("CreateStack", json!({"StackName": "s", "TemplateBody": template, "Parameters": parameters})).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    let made = world.shop.state().things.values().next().unwrap().clone();
    assert_eq!((&made["Password"], &made["Pin"]), (&json!("hunter2"), &json!("4711-4711")));
    let mut seen = String::new();
    for operation in
        ["DescribeStacks", "DescribeStackEvents", "DescribeEvents", "GetTemplate", "DescribeStackResources"]
    {
        seen += &world.ok(operation, json!({"StackName": "s"})).await.to_string();
    }
    assert!(!seen.contains("hunter2") && !seen.contains("4711-4711"), "{seen}");
    assert!(seen.contains("****") && seen.contains("{{resolve:secretsmanager:db"), "{seen}");
}

#[tokio::test]
async fn a_nested_stack_is_made_and_deleted_with_its_parent() {
    let world = World::new().await;
    let inner = "{Parameters: {P: {Type: String}}, Resources: {In: {Type: Test::Fake::Thing, Properties: {Name: !Ref P}}}, Outputs: {O: {Value: !GetAtt In.Name}}}";
    world.shop.state().objects.insert("inner.yaml".into(), inner.into());
    let outer = "
Resources:
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: https://b.s3.amazonaws.com/inner.yaml, Parameters: { P: v } }
  After: { Type: Test::Fake::Thing, Properties: { Name: !GetAtt Nested.Outputs.O } }
";
    world.create(outer).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE", "{:#?}", world.events("s").await);
    let after = world.shop.state().things.iter().find(|(id, _)| id.starts_with("after")).unwrap().1.clone();
    assert_eq!(after["Name"], "v");
    let all = world.ok("DescribeStacks", json!({})).await;
    assert_eq!(all["Stacks"].as_array().unwrap().len(), 2);
    let id = world.stack("s").await["StackId"].clone();
    let child = all["Stacks"].as_array().unwrap().iter().find(|stack| stack["ParentId"] == id).unwrap().clone();
    assert_eq!(child["RootId"], id);
    world.ok("DeleteStack", json!({"StackName": "s"})).await;
    assert_eq!(world.rest(id.as_str().unwrap()).await, "DELETE_COMPLETE");
    assert!(world.shop.things().is_empty());
}

#[tokio::test]
async fn bad_requests_are_refused_with_aws_words_and_nothing_is_made() {
    let world = World::new().await;
    let thing = "{Resources: {A: {Type: Test::Fake::Thing}}}";
    let cases: Vec<(&str, Value, &str)> = vec![
        (
            "CreateStack",
            json!({"StackName": "1s", "TemplateBody": thing}),
            "at 'stackName' failed to satisfy constraint",
        ),
        ("CreateStack", json!({"StackName": "s"}), "Either Template URL or Template Body must be specified."),
        ("CreateStack", json!({"StackName": "s", "TemplateBody": "x".repeat(51_201)}), "less than or equal to 51200"),
        (
            "CreateStack",
            json!({"StackName": "s", "TemplateBody": "{Resources: {A: {Type: Test::Fake::Thin}}}"}),
            "Test::Fake::Thin",
        ),
        (
            "CreateStack",
            json!({"StackName": "s", "TemplateBody": "{Resources: {A: {Type: Test::Fake::Thing, DependsOn: Z}}}"}),
            "Z",
        ),
        (
            "CreateStack",
            json!({"StackName": "s", "TemplateBody": thing, "DisableRollback": true, "OnFailure": "DELETE"}),
            "but not both",
        ),
        (
            "CreateStack",
            json!({"StackName": "s", "TemplateBody": thing, "NotificationARNs": ["arn:aws:sns:x"]}),
            "NotificationARNs",
        ),
        (
            "CreateStack",
            json!({"StackName": "s", "TemplateBody": thing, "Parameters": [{"ParameterKey": "P", "ParameterValue": "v"}]}),
            "Parameters: [P] do not exist in the template",
        ),
        ("UpdateStack", json!({"StackName": "s", "TemplateBody": thing}), "Stack [s] does not exist"),
        ("DescribeStackEvents", json!({"StackName": "s"}), "Stack [s] does not exist"),
        ("DescribeStacks", json!({"StackName": "s"}), "Stack with id s does not exist"),
        ("DescribeChangeSet", json!({"StackName": "s", "ChangeSetName": "c"}), "Stack [s] does not exist"),
        ("ListImports", json!({"ExportName": "x"}), "Export 'x' is not imported by any stack."),
    ];
    for (operation, input, expected) in cases {
        let refused = world.refused(operation, input).await;
        assert!(refused.contains(expected), "{operation}: {refused}");
    }
    assert!(world.shop.calls().is_empty());
    assert_eq!(world.ok("ListStacks", json!({})).await["StackSummaries"], json!([]));
    world.create(thing).await;
    let twice = world.refused("CreateStack", json!({"StackName": "s", "TemplateBody": thing})).await;
    assert_eq!(twice, "AlreadyExistsException: Stack [s] already exists");
    world.rest("s").await;
    world.ok("UpdateTerminationProtection", json!({"StackName": "s", "EnableTerminationProtection": true})).await;
    let protected = world.refused("DeleteStack", json!({"StackName": "s"})).await;
    assert!(protected.contains("cannot be deleted while TerminationProtection is enabled"), "{protected}");
}

#[tokio::test]
async fn what_a_failed_creation_has_left_is_deleted_by_the_rollback() {
    let world = World::new().await;
    world.shop.fail("create A");
    world.shop.state().leaves.insert("A".into());
    world.create("Resources: { A: { Type: Test::Fake::Thing, DeletionPolicy: Retain } }").await;
    assert_eq!(world.rest("s").await, "ROLLBACK_COMPLETE");
    assert!(world.shop.things().is_empty());
    let events = world.events("s").await;
    assert!(before(&world.shop.calls(), "create A", "delete A"));
    assert!(events.iter().any(|event| event == "A DELETE_COMPLETE"), "{events:?}");
}

#[tokio::test]
async fn what_a_failed_creation_has_left_is_deleted_before_the_next_try() {
    let world = World::new().await;
    world.shop.fail("create A");
    world.shop.state().leaves.insert("A".into());
    let template = "Resources: { A: { Type: Test::Fake::Thing } }";
    let input = json!({"StackName": "s", "TemplateBody": template, "DisableRollback": true});
    world.ok("CreateStack", input).await;
    assert_eq!(world.rest("s").await, "CREATE_FAILED");
    assert_eq!(world.shop.things(), ["a"]);
    let resources = world.ok("DescribeStackResources", json!({"StackName": "s"})).await;
    assert!(resources["StackResources"][0]["PhysicalResourceId"].as_str().unwrap().starts_with("a."), "{resources}");
    world.shop.mend();
    world.shop.forget_calls();
    world.update(template).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    assert_eq!(world.shop.calls(), ["delete A", "create A"]);
    assert_eq!(world.shop.things(), ["a"]);
}
