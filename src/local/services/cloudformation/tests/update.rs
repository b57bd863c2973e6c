//! Updates: in place, by replacement, failing, cancelled.

use serde_json::json;

use super::harness::{World, before};

const ONE: &str = "
Resources:
  Changed: { Type: Test::Fake::Thing, Properties: { Name: old } }
  Replaced: { Type: Test::Fake::Thing, Properties: { Fixed: old } }
  Removed: { Type: Test::Fake::Thing }
  Same: { Type: Test::Fake::Thing, Properties: { Name: same } }
";
const TWO: &str = "
Resources:
  Changed: { Type: Test::Fake::Thing, Properties: { Name: new } }
  Replaced: { Type: Test::Fake::Thing, Properties: { Fixed: new } }
  Same: { Type: Test::Fake::Thing, Properties: { Name: same } }
  Added: { Type: Test::Fake::Thing, DependsOn: [Changed, Replaced] }
";

async fn at_one() -> World {
    let world = World::new().await;
    world.create(ONE).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    world.shop.forget_calls();
    world
}

#[tokio::test]
async fn an_update_changes_replaces_adds_and_then_cleans_up() {
    let world = at_one().await;
    let seen = world.events("s").await.len();
    world.update(TWO).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    let calls = world.shop.calls();
    assert!(!calls.iter().any(|call| call.ends_with("Same")), "{calls:?}");
    assert!(before(&calls, "create Replaced", "create Added"));
    assert!(before(&calls, "create Added", "delete Replaced"));
    assert!(before(&calls, "create Added", "delete Removed"));
    assert_eq!(world.shop.things(), ["added", "changed", "replaced", "same"]);
    let events = world.events_since("s", seen).await;
    let text = events.join("\n");
    assert_eq!(events[0], "s UPDATE_IN_PROGRESS User Initiated");
    assert!(text.contains("Replaced UPDATE_IN_PROGRESS Requested update requires the creation of a new physical resource; hence creating one."), "{text}");
    assert!(before(&events, "Added CREATE_COMPLETE", "s UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
    assert!(before(&events, "s UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "Replaced DELETE_COMPLETE"));
    assert_eq!(events.last().unwrap(), "s UPDATE_COMPLETE");
    let resources = world.ok("ListStackResources", json!({"StackName": "s"})).await;
    assert_eq!(resources["StackResourceSummaries"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn nothing_to_update_is_said_in_aws_words() {
    let world = at_one().await;
    let refused = world.refused("UpdateStack", json!({"StackName": "s", "TemplateBody": ONE})).await;
    assert_eq!(refused, "ValidationError: No updates are to be performed.");
    let refused = world.refused("UpdateStack", json!({"StackName": "s", "UsePreviousTemplate": true})).await;
    assert_eq!(refused, "ValidationError: No updates are to be performed.");
}

#[tokio::test]
async fn a_failed_update_brings_back_what_was_and_takes_away_what_was_added() {
    let world = at_one().await;
    let old = world.shop.state().things.clone();
    world.shop.fail("create Added");
    world.update(TWO).await;
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.shop.state().things, old);
    let events = world.events("s").await.join("\n");
    assert!(
        events.contains("s UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Added]."),
        "{events}"
    );
    assert!(events.contains("s UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"), "{events}");
    // It can be updated again.
    world.shop.mend();
    world.update(TWO).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    assert_eq!(world.shop.things(), ["added", "changed", "replaced", "same"]);
}

#[tokio::test]
async fn a_resource_whose_update_failed_is_updated_back() {
    let world = at_one().await;
    world.shop.fail("update Changed");
    world.ok("UpdateStack", json!({"StackName": "s", "TemplateBody": TWO, "DisableRollback": true})).await;
    assert_eq!(world.rest("s").await, "UPDATE_FAILED");
    world.shop.mend();
    world.shop.forget_calls();
    world.ok("RollbackStack", json!({"StackName": "s"})).await;
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(world.shop.calls().contains(&"update Changed".to_owned()), "{:?}", world.shop.calls());
    assert_eq!(world.shop.things(), ["changed", "removed", "replaced", "same"]);
}

#[tokio::test]
async fn a_change_that_no_provider_makes_is_refused_by_name_and_leaves_nothing_to_roll_back() {
    let world = World::new().await;
    let template = |firm: &str| {
        format!("Resources: {{ Thing: {{ Type: Test::Fake::Thing, Properties: {{ Name: same, Firm: {firm} }} }} }}")
    };
    world.create(&template("old")).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    world.shop.forget_calls();
    world.update(&template("new")).await;
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.shop.calls(), [""; 0]);
    let events = world.events("s").await.join("\n");
    let why = "The local cloud does not support a change of the property Firm of Test::Fake::Thing.";
    assert!(events.contains("Thing UPDATE_FAILED") && events.contains(why), "{events}");
}

#[tokio::test]
async fn what_is_taken_out_goes_back_to_its_default_or_is_refused_by_name() {
    let world = World::new().await;
    let template = |more: &str| {
        format!("Resources: {{ Thing: {{ Type: Test::Fake::Thing, Properties: {{ Name: same{more} }} }} }}")
    };
    world.create(&template(", Level: 3")).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    world.update(&template("")).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    let (_, wanted, _) = world.shop.state().updates.last().cloned().unwrap();
    assert_eq!(wanted, json!({"Name": "same", "Level": 1}));
    world.update(&template(", Kept: yours")).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    world.update(&template("")).await;
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    let events = world.events("s").await.join("\n");
    let why = "The local cloud does not support the removal of the property Kept of Test::Fake::Thing.";
    assert!(events.contains(why), "{events}");
}

#[tokio::test]
async fn a_rollback_is_not_held_up_by_what_the_update_brought_and_nothing_can_take_away() {
    let world = World::new().await;
    let template = |more: &str| {
        let thing = |more: &str| format!("{{ Type: Test::Fake::Thing, Properties: {{ Name: same{more} }}");
        format!(
            "Resources: {{ First: {} }}, Second: {}, DependsOn: First }} }}",
            thing(more),
            thing(&more.replace("Kept", "Level"))
        )
    };
    world.create(&template("")).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    world.shop.fail("update Second");
    world.shop.hold("update Second");
    world.update(&template(", Kept: 2")).await;
    world.shop.asked("update Second").await;
    world.shop.forget_calls();
    world.shop.state().holds.clear();
    world.shop.hold("update First");
    world.shop.release();
    world.shop.asked("update First").await;
    world.shop.mend();
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    // The way back leaves what nothing stands for, and asks for nothing there.
    let updates = world.shop.state().updates.clone();
    assert!(updates.iter().any(|(old, new, _)| old["Kept"] == 2 && new["Kept"] == 2), "{updates:#?}");
}

#[tokio::test]
async fn a_rollback_that_fails_can_be_continued_or_told_to_skip() {
    let world = at_one().await;
    world.shop.fail("create Added");
    world.shop.hold("create Added");
    world.update(TWO).await;
    world.shop.asked("create Added").await;
    world.shop.fail("update Changed");
    world.shop.state().holds.clear();
    world.shop.fail("create Added");
    world.shop.release();
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_FAILED");
    let reason = world.stack("s").await["StackStatusReason"].clone();
    assert_eq!(reason, "The following resource(s) failed to update: [Changed].");
    world.ok("ContinueUpdateRollback", json!({"StackName": "s", "ResourcesToSkip": ["Changed"]})).await;
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.shop.things(), ["changed", "removed", "replaced", "same"]);
}

#[tokio::test]
async fn a_cancelled_update_is_rolled_back() {
    let world = at_one().await;
    let old = world.shop.state().things.clone();
    world.shop.hold("update Changed");
    world.update(TWO).await;
    world.shop.asked("update Changed").await;
    world.ok("CancelUpdateStack", json!({"StackName": "s"})).await;
    world.shop.mend();
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.shop.state().things, old);
    let refused = world.refused("CancelUpdateStack", json!({"StackName": "s"})).await;
    assert!(refused.contains("CancelUpdateStack cannot be called from current stack status"), "{refused}");
}

#[tokio::test]
async fn a_condition_that_turns_false_removes_its_resource() {
    let world = World::new().await;
    let template = "
Parameters: { Both: { Type: String, AllowedValues: ['yes', 'no'] } }
Conditions: { Two: !Equals [!Ref Both, 'yes'] }
Resources:
  A: { Type: Test::Fake::Thing }
  B: { Type: Test::Fake::Thing, Condition: Two }
Outputs:
  OfB: { Condition: Two, Value: !Ref B }
";
    let given = |value: &str| json!([{"ParameterKey": "Both", "ParameterValue": value}]);
    world.ok("CreateStack", json!({"StackName": "s", "TemplateBody": template, "Parameters": given("yes")})).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    assert_eq!(world.shop.things(), ["a", "b"]);
    world.ok("UpdateStack", json!({"StackName": "s", "UsePreviousTemplate": true, "Parameters": given("no")})).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    assert_eq!(world.shop.things(), ["a"]);
    assert_eq!(world.stack("s").await["Outputs"], json!([]));
}

#[tokio::test]
async fn a_leftover_that_cannot_be_deleted_does_not_fail_the_update() {
    let world = at_one().await;
    world.shop.fail("delete Removed");
    world.update(TWO).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    assert_eq!(world.stack("s").await["StackStatusReason"], "One or more resources could not be deleted.");
}

#[tokio::test]
async fn a_replaced_resource_is_kept_where_its_policy_says_so() {
    let world = World::new().await;
    let with = |value: &str| {
        format!(
            "{{Resources: {{A: {{Type: Test::Fake::Thing, UpdateReplacePolicy: Retain, Properties: {{Fixed: {value}}}}}}}}}"
        )
    };
    world.create(&with("one")).await;
    world.rest("s").await;
    world.update(&with("two")).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    assert_eq!(world.shop.things(), ["a", "a"]);
    assert!(world.events("s").await.contains(&"A DELETE_SKIPPED".to_owned()));
}

#[tokio::test]
async fn a_successor_that_was_left_half_made_is_taken_away_in_the_cleanup() {
    let world = at_one().await;
    let old = world.shop.state().things.clone();
    world.shop.fail("create Replaced");
    world.shop.state().leaves.insert("Replaced".into());
    world.update(TWO).await;
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.shop.state().things, old);
}

#[tokio::test]
async fn a_change_has_a_token_of_its_own_in_each_operation_and_direction() {
    let world = at_one().await;
    world.update(&ONE.replace("Name: old", "Name: newer")).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    world.shop.fail("create Added");
    world.update(TWO).await;
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    let tokens: Vec<String> = world.shop.state().updates.iter().map(|(_, _, token)| token.clone()).collect();
    assert_eq!(tokens.len(), 3, "an update, another, its rollback");
    let made = world.shop.state().things.keys().find(|id| id.starts_with("changed")).cloned().unwrap();
    for (n, token) in tokens.iter().enumerate() {
        assert!(!made.ends_with(token.as_str()) && !tokens[..n].contains(token), "{made}: {tokens:?}");
    }
}

#[tokio::test]
async fn the_way_back_from_an_update_that_failed_tells_what_it_may_have_left() {
    let world = at_one().await;
    world.shop.fail("update Changed");
    world.ok("UpdateStack", json!({"StackName": "s", "TemplateBody": TWO, "DisableRollback": true})).await;
    assert_eq!(world.rest("s").await, "UPDATE_FAILED");
    world.shop.mend();
    world.ok("RollbackStack", json!({"StackName": "s"})).await;
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    let (old, new, _) = world.shop.state().updates.pop().unwrap();
    assert_eq!((old, new), (json!({"Name": "new"}), json!({"Name": "old"})));
}
