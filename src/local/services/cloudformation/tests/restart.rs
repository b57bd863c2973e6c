//! The engine is ended at any moment, and goes on.

use serde_json::json;

use super::harness::World;

const PAIR: &str = "{Resources: {A: {Type: Test::Fake::Thing}, B: {Type: Test::Fake::Thing, DependsOn: A}}}";

#[tokio::test]
async fn a_create_that_was_cut_short_goes_on_and_makes_nothing_twice() {
    let world = World::new().await;
    world.shop.hold("create B");
    world.create(PAIR).await;
    world.shop.asked("create B").await;
    let world = world.restart().await;
    world.shop.mend();
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    assert_eq!(world.shop.things(), ["a", "b"]);
    let asked_for_a = world.shop.calls().iter().filter(|call| *call == "create A").count();
    assert_eq!(asked_for_a, 1);
}

#[tokio::test]
async fn a_delete_that_came_before_the_end_is_carried_out_after_it() {
    let world = World::new().await;
    world.shop.hold("create B");
    world.create(PAIR).await;
    world.shop.asked("create B").await;
    let id = world.stack("s").await["StackId"].as_str().unwrap().to_owned();
    world.ok("DeleteStack", json!({"StackName": "s"})).await;
    let world = world.restart().await;
    world.shop.mend();
    assert_eq!(world.rest(&id).await, "DELETE_COMPLETE");
    assert!(world.shop.things().is_empty(), "{:?}", world.shop.things());
}

#[tokio::test]
async fn an_update_that_was_cut_short_goes_on_or_back() {
    let world = World::new().await;
    world.create("{Resources: {A: {Type: Test::Fake::Thing, Properties: {Fixed: one}}}}").await;
    world.rest("s").await;
    let two = "{Resources: {A: {Type: Test::Fake::Thing, Properties: {Fixed: two}}, B: {Type: Test::Fake::Thing, DependsOn: A}}}";
    world.shop.hold("create B");
    world.update(two).await;
    world.shop.asked("create B").await;
    let world = world.restart().await;
    world.shop.mend();
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    assert_eq!(world.shop.things(), ["a", "b"]);

    let old = world.shop.state().things.clone();
    let three = two.replace("two", "three").replace("B:", "C:");
    world.shop.hold("create C");
    world.update(&three).await;
    world.shop.asked("create C").await;
    world.ok("CancelUpdateStack", json!({"StackName": "s"})).await;
    let world = world.restart().await;
    world.shop.mend();
    assert_eq!(world.rest("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(world.shop.state().things, old);
}

#[tokio::test]
async fn finished_stacks_are_read_again_with_their_events() {
    let world = World::new().await;
    world.create(PAIR).await;
    world.rest("s").await;
    let (stack, events) = (world.stack("s").await, world.events("s").await);
    let world = world.restart().await;
    assert_eq!(world.stack("s").await, stack);
    assert_eq!(world.events("s").await, events);
}

#[tokio::test]
async fn a_stack_that_was_cut_off_before_its_first_change_set_is_nobodys_and_not_there() {
    let world = World::new().await;
    let asked = json!({"StackName": "s", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": PAIR});
    world.ok("CreateChangeSet", asked.clone()).await;
    let world = world.restart().await;
    assert_eq!(world.stack("s").await["StackStatus"], "REVIEW_IN_PROGRESS");
    world.lose("changesets.json");
    let world = world.restart().await;
    world.refused("DescribeStacks", json!({"StackName": "s"})).await;
    world.ok("CreateChangeSet", asked).await;
}
