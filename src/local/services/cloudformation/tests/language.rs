//! Templates that are rewritten before they are read, and what is refused before there is a stack.

use serde_json::json;

use super::harness::World;

const LOOP: &str = "
Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList, Default: 'one,two'}}
Resources:
  Fn::ForEach::Things:
    - Name
    - !Ref Names
    - Thing${Name}: {Type: Test::Fake::Thing, Properties: {Name: !Sub 'x-${Name}'}}
Outputs:
  Count: {Value: {Fn::Length: !Ref Names}}
  Missing: {Value: !FindInMap [Sizes, a, b, {DefaultValue: none}]}
Mappings: {Sizes: {c: {d: e}}}
";

#[tokio::test]
async fn loops_are_written_out_and_follow_their_parameters() {
    let world = World::new().await;
    let refused = world.refused("CreateStack", json!({"StackName": "s", "TemplateBody": LOOP})).await;
    assert!(refused.contains("Requires capabilities : [CAPABILITY_AUTO_EXPAND]"), "{refused}");
    let mut input = json!({"StackName": "s", "TemplateBody": LOOP, "Capabilities": ["CAPABILITY_AUTO_EXPAND"]});
    world.ok("CreateStack", input.clone()).await;
    assert_eq!(world.rest("s").await, "CREATE_COMPLETE");
    assert_eq!(world.shop.things(), ["thingone", "thingtwo"]);
    let outputs = world.stack("s").await["Outputs"].to_string();
    assert!(outputs.contains(r#""2""#) && outputs.contains("none"), "{outputs}");

    // The processed template survives a restart: it is what the stack was made from.
    let world = world.restart().await;
    let processed = world.ok("GetTemplate", json!({"StackName": "s"})).await["TemplateBody"].clone();
    assert!(processed.as_str().unwrap().contains("Thingtwo"), "{processed}");
    let original = json!({"StackName": "s", "TemplateStage": "Original"});
    assert_eq!(world.ok("GetTemplate", original).await["TemplateBody"], LOOP);

    // Without a new text the loop runs again over the new parameter.
    input["Parameters"] = json!([{"ParameterKey": "Names", "ParameterValue": "two,three"}]);
    input.as_object_mut().unwrap().remove("TemplateBody");
    input["UsePreviousTemplate"] = json!(true);
    world.ok("UpdateStack", input.clone()).await;
    assert_eq!(world.rest("s").await, "UPDATE_COMPLETE");
    assert_eq!(world.shop.things(), ["thingthree", "thingtwo"]);
    assert!(world.refused("UpdateStack", input).await.contains("No updates are to be performed."));
}

#[tokio::test]
async fn a_transform_is_told_of_before_it_is_run_and_others_are_refused_by_name() {
    let world = World::new().await;
    let needs = LOOP.replace(", Default: 'one,two'", "");
    for (text, kinds) in [(LOOP, json!(["Test::Fake::Thing"])), (needs.as_str(), json!([]))] {
        let summary = world.ok("GetTemplateSummary", json!({"TemplateBody": text})).await;
        assert_eq!(summary["DeclaredTransforms"], json!(["AWS::LanguageExtensions"]));
        assert_eq!(summary["Capabilities"], json!(["CAPABILITY_AUTO_EXPAND"]));
        assert_eq!(summary["ResourceTypes"], kinds);
        assert_eq!(summary["Parameters"][0]["ParameterKey"], "Names");
    }
    let valid = world.ok("ValidateTemplate", json!({"TemplateBody": needs})).await;
    assert_eq!(valid["DeclaredTransforms"], json!(["AWS::LanguageExtensions"]));
    let serverless = "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function}}";
    let refused = world.refused("CreateStack", json!({"StackName": "s", "TemplateBody": serverless})).await;
    assert!(refused.contains("the transform AWS::Serverless-2016-10-31"), "{refused}");
}

#[tokio::test]
async fn what_can_never_have_a_value_is_refused_before_there_is_a_stack() {
    let world = World::new().await;
    let thing = |name: &str| format!("Resources: {{A: {{Type: Test::Fake::Thing, Properties: {{Name: {name}}}}}}}\n");
    let cases = [
        (thing("!Select [3, [a]]"), "Fn::Select cannot select nonexistent value at index 3"),
        (thing("{'Fn::Joyn': ['', [a]]}"), "did you mean `Fn::Join`?"),
        (thing("!FindInMap [M, a, c]") + "Mappings: {M: {a: {b: x}}}", "Unable to get mapping for M::a::c"),
        (thing("a") + "Outputs: {O: {Value: [a, b]}}", "Output O is malformed"),
        (thing("a") + "Outputs: {O: {Value: !Split [',', 'a,b']}}", "Output O is malformed"),
    ];
    for (text, words) in cases {
        let refused = world.refused("CreateStack", json!({"StackName": "s", "TemplateBody": text})).await;
        assert!(refused.contains(words), "{refused}");
        let set = json!({"StackName": "s", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": text});
        assert!(world.refused("CreateChangeSet", set).await.contains(words), "{words}");
    }
    let none = world.ok("DescribeStacks", json!({})).await;
    assert_eq!(none["Stacks"], json!([]));
    // What another stack exports is asked when it is needed: on AWS, too, that fails the stack and not the request.
    world.create(&thing("!Select [0, !Split ['-', !ImportValue nobody]]")).await;
    assert_eq!(world.rest("s").await, "ROLLBACK_COMPLETE");
    assert!(world.events("s").await.join("\n").contains("No export named nobody found."));
}
