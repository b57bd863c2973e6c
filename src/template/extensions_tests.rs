use serde_json::json;

use super::{asked, written_out};
use crate::intrinsics::Pseudo;
use crate::parameters::{Values, resolve};
use crate::yaml::{self, Node};
use crate::{Template, model::Outlined};

fn expand(text: &str) -> Result<Node, String> {
    let document = yaml::parse(text).unwrap();
    let outline = Template::outline(&document, Outlined::Declarations).unwrap();
    let values = resolve(&outline, &Values::new()).unwrap();
    let pseudo = Pseudo { region: "us-east-1".to_owned(), stack_name: "demo".to_owned(), ..Pseudo::default() };
    let written = written_out(&document, &values, &pseudo);
    written.map_err(|problems| problems.iter().map(|problem| problem.sentence()).collect::<Vec<_>>().join("; "))
}

const HEAD: &str = "
Transform: AWS::LanguageExtensions
Parameters:
  Names: {Type: CommaDelimitedList, Default: 'alpha,be-ta'}
  Keep: {Type: String, Default: Retain}
Mappings:
  Zones: {us-east-1: {list: [x, y]}}
";

#[test]
fn loops_in_loops_are_written_out_over_parameters_mappings_and_lists() {
    let written = expand(&format!(
        "{HEAD}
Conditions:
  Fn::ForEach::C:
    - Name
    - !Ref Names
    - Is&{{Name}}: !Equals [!Ref Name, alpha]
Resources:
  Fn::ForEach::Groups:
    - Name
    - !Ref Names
    - Fn::ForEach::Zones:
        - Zone
        - !FindInMap [Zones, !Ref AWS::Region, list]
        - Group&{{Name}}${{Zone}}:
            Type: AWS::Logs::LogGroup
            Properties: {{LogGroupName: !Sub '/${{Name}}/${{Zone}}/${{AWS::StackName}}', Other: !Ref Zone}}
Outputs:
  Fn::ForEach::Outs:
    - Name
    - [alpha]
    - Out${{Name}}: {{Value: !GetAtt [!Sub 'Group${{Name}}x', Arn]}}
"
    ))
    .unwrap()
    .to_json();
    assert_eq!(
        written["Resources"]["Groupbetay"]["Properties"],
        json!({"LogGroupName": {"Fn::Sub": "/be-ta/y/${AWS::StackName}"}, "Other": "y"})
    );
    let names: Vec<&String> = written["Resources"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["Groupalphax", "Groupalphay", "Groupbetax", "Groupbetay"]);
    assert_eq!(written["Conditions"]["Isbeta"], json!({"Fn::Equals": ["be-ta", "alpha"]}));
    assert_eq!(written["Outputs"], json!({"Outalpha": {"Value": {"Fn::GetAtt": ["Groupalphax", "Arn"]}}}));
}

#[test]
fn properties_are_repeated_and_policies_are_settled() {
    let written = expand(&format!(
        "{HEAD}
Conditions: {{Yes: !Equals [!Ref Keep, Retain]}}
Resources:
  A:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: !Ref Keep
    UpdateReplacePolicy: !If [Yes, Delete, Retain]
    Metadata:
      Fn::ForEach::M: [N, [a, b], {{'Key${{N}}': !Ref N}}]
Outputs: {{O: {{Value: {{Ref: !If [Yes, A, B]}}}}}}
"
    ))
    .unwrap()
    .to_json();
    let group = &written["Resources"]["A"];
    assert_eq!((&group["DeletionPolicy"], &group["UpdateReplacePolicy"]), (&json!("Retain"), &json!("Delete")));
    assert_eq!(group["Metadata"], json!({"Keya": "a", "Keyb": "b"}));
    assert_eq!(written["Outputs"]["O"]["Value"], json!({"Ref": "A"}));
}

#[test]
fn a_loop_that_cannot_be_written_out_says_why() {
    let refused = |part: &str| expand(&format!("{HEAD}Resources:\n  {part}")).unwrap_err();
    assert!(refused("Fn::ForEach::X: [N, [a]]").contains("takes a list of an identifier"));
    assert!(refused("Fn::ForEach::X: [N, a, {'R${N}': {}}]").contains("must be a list of strings"));
    assert!(refused("Fn::ForEach::X: [N, !Ref Nope, {'R${N}': {}}]").contains("Nope"));
    assert!(refused("Fn::ForEach::X: [N, [a, b], {R: {}}]").contains("there twice"));
    let deep = (0..7).fold("{'R${A0}${A1}${A2}${A3}${A4}${A5}${A6}': {}}".to_owned(), |body, level| {
        format!("{{'Fn::ForEach::L{level}': [A{level}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], {body}]}}")
    });
    assert!(refused(&format!("Fn::ForEach::X: [N, [a], {deep}]")).contains("more than"));
}

#[test]
fn the_transform_may_stand_in_a_list() {
    let has = |text: &str| asked(&yaml::parse(text).unwrap());
    assert!(has("Transform: AWS::LanguageExtensions") && has("Transform: [AWS::LanguageExtensions]"));
    assert!(!has("Transform: AWS::Serverless-2016-10-31") && !has("Resources: {}"));
}
