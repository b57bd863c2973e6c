//! Change sets.

use serde_json::{Value, json};

use super::harness::World;

const ONE: &str = "
Parameters: { N: { Type: String, Default: one } }
Resources:
  A: { Type: Test::Fake::Thing, Properties: { Name: !Ref N } }
  B: { Type: Test::Fake::Thing, Properties: { Of: !GetAtt A.Name } }
";
const TWO: &str = "
Parameters: { N: { Type: String, Default: one } }
Resources:
  A: { Type: Test::Fake::Thing, Properties: { Name: !Ref N } }
  C: { Type: Test::Fake::Thing, Properties: { Of: !Ref A } }
";

async fn changes(world: &World, name: &str) -> Vec<Value> {
    let set = world
        .ok("DescribeChangeSet", json!({"StackName": "s", "ChangeSetName": name, "IncludePropertyValues": true}))
        .await;
    assert_eq!(set["Status"], "CREATE_COMPLETE", "{set}");
    set["Changes"].as_array().unwrap().iter().map(|change| change["ResourceChange"].clone()).collect()
}

#[tokio::test]
async fn a_stack_can_be_made_changed_and_left_alone_by_change_sets() {
    let world = World::new().await;
    let made = world
        .ok(
            "CreateChangeSet",
            json!({"StackName": "s", "ChangeSetName": "c1", "ChangeSetType": "CREATE", "TemplateBody": ONE}),
        )
        .await;
    assert_eq!(world.stack("s").await["StackStatus"], "REVIEW_IN_PROGRESS");
    assert!(world.shop.calls().is_empty());
    let added = changes(&world, "c1").await;
    assert!(added.iter().all(|change| change["Action"] == "Add"), "{added:?}");
    world.ok("ExecuteChangeSet", json!({"ChangeSetName": made["Id"]})).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    let executed = world.ok("DescribeChangeSet", json!({"ChangeSetName": made["Id"]})).await;
    assert_eq!(executed["ExecutionStatus"], "EXECUTE_COMPLETE");

    let input = json!({"StackName": "s", "ChangeSetName": "c2", "TemplateBody": TWO, "Parameters": [{"ParameterKey": "N", "ParameterValue": "two"}]});
    world.ok("CreateChangeSet", input).await;
    let found = changes(&world, "c2").await;
    let of = |name: &str| found.iter().find(|change| change["LogicalResourceId"] == name).unwrap();
    assert_eq!((&of("A")["Action"], &of("A")["Replacement"]), (&json!("Modify"), &json!("False")));
    let detail = &of("A")["Details"][0];
    assert_eq!((&detail["ChangeSource"], &detail["CausingEntity"]), (&json!("ParameterReference"), &json!("N")));
    assert_eq!((&detail["Target"]["BeforeValue"], &detail["Target"]["AfterValue"]), (&json!("one"), &json!("two")));
    assert_eq!(of("C")["Action"], "Add");
    assert_eq!((&of("B")["Action"], &of("B")["PolicyAction"]), (&json!("Remove"), &json!("Delete")));
    world.ok("ExecuteChangeSet", json!({"StackName": "s", "ChangeSetName": "c2"})).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    assert_eq!(world.shop.things(), ["a", "c"]);

    let input = json!({"StackName": "s", "ChangeSetName": "c3", "TemplateBody": TWO, "Parameters": [{"ParameterKey": "N", "UsePreviousValue": true}]});
    world.ok("CreateChangeSet", input).await;
    let empty = world.ok("DescribeChangeSet", json!({"StackName": "s", "ChangeSetName": "c3"})).await;
    assert_eq!((&empty["Status"], &empty["ExecutionStatus"]), (&json!("FAILED"), &json!("UNAVAILABLE")));
    assert_eq!(
        empty["StatusReason"],
        "The submitted information didn't contain changes. Submit different information to create a change set."
    );
    let refused = world.refused("ExecuteChangeSet", json!({"StackName": "s", "ChangeSetName": "c3"})).await;
    assert!(refused.contains("cannot be executed in its current status of [FAILED]"), "{refused}");
    world.ok("DeleteChangeSet", json!({"StackName": "s", "ChangeSetName": "c3"})).await;
    assert_eq!(world.ok("ListChangeSets", json!({"StackName": "s"})).await["Summaries"], json!([]));
}

#[tokio::test]
async fn a_replacement_makes_what_refers_to_it_dynamic() {
    let world = World::new().await;
    let with = |kind: &str| {
        format!(
            "{{Resources: {{A: {{Type: Test::Fake::{kind}}}, B: {{Type: Test::Fake::Thing, Properties: {{Of: !Ref A}}}}}}}}"
        )
    };
    world.create(&with("Thing")).await;
    world.rest("s").await;
    world.ok("CreateChangeSet", json!({"StackName": "s", "ChangeSetName": "c", "TemplateBody": with("Other")})).await;
    let found = changes(&world, "c").await;
    assert_eq!(found[0]["Replacement"], "True", "{found:?}");
    let detail = &found[1]["Details"][0];
    assert_eq!(
        (&detail["Evaluation"], &detail["ChangeSource"], &detail["CausingEntity"]),
        (&json!("Dynamic"), &json!("ResourceReference"), &json!("A"))
    );
    world.ok("ExecuteChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
}

#[tokio::test]
async fn an_abandoned_review_is_deleted_with_its_stack() {
    let world = World::new().await;
    let made = world
        .ok(
            "CreateChangeSet",
            json!({"StackName": "s", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": ONE}),
        )
        .await;
    let again = world
        .refused(
            "CreateChangeSet",
            json!({"StackName": "s", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": ONE}),
        )
        .await;
    assert!(again.starts_with("AlreadyExistsException"), "{again}");
    world.ok("DeleteStack", json!({"StackName": "s"})).await;
    assert_eq!(world.rest(made["StackId"].as_str().unwrap()).await, "DELETE_COMPLETE");
    let gone = world.refused("DescribeChangeSet", json!({"ChangeSetName": made["Id"]})).await;
    assert!(gone.starts_with("ChangeSetNotFound: ChangeSet ["), "{gone}");
}

#[tokio::test]
async fn a_change_set_that_cannot_be_evaluated_fails_with_an_event_that_says_so() {
    let world = World::new().await;
    world.create(ONE).await;
    world.rest("s").await;
    let importing = "{Resources: {A: {Type: Test::Fake::Thing, Properties: {Of: !ImportValue nowhere}}}}";
    world.ok("CreateChangeSet", json!({"StackName": "s", "ChangeSetName": "c", "TemplateBody": importing})).await;
    let set = world.ok("DescribeChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})).await;
    assert_eq!(set["Status"], "FAILED");
    assert!(set["StatusReason"].as_str().unwrap().contains("No export named nowhere found"), "{set}");
    let input = json!({"ChangeSetName": set["ChangeSetId"], "Filters": {"FailedEvents": true}});
    let events = world.ok("DescribeEvents", input).await;
    assert_eq!(events["OperationEvents"].as_array().unwrap().len(), 1);
}
