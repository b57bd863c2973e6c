use super::{DeletionPolicy, MAX_RESOURCES, ParameterType, Template};

fn problems(text: &str) -> Vec<String> {
    Template::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_template_becomes_types() {
    let text = "
AWSTemplateFormatVersion: 2010-09-09
Description: all of it
Metadata: { anything: [1] }
Transform: AWS::LanguageExtensions
Parameters:
  Size: { Type: Number, Default: 5, MinValue: 1, MaxValue: 9.5, NoEcho: 'true', AllowedValues: [5, 6] }
  Nets: { Type: List<AWS::EC2::Subnet::Id> }
  Ami: { Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>' }
Mappings: { M: { 012345678901: { k: [a, b] } } }
Conditions: { C: !Equals [!Ref Size, 5] }
Rules: { R: { Assertions: [{ Assert: !Contains [[a], a], AssertDescription: d }] } }
Resources:
  Bucket: { Type: AWS::S3::Bucket, Condition: C, DependsOn: [Db], DeletionPolicy: RetainExceptOnCreate }
  Db: { Type: AWS::RDS::DBCluster, Properties: { Engine: aurora-mysql } }
Outputs:
  Name: { Value: !Ref Bucket, Condition: C, Export: { Name: !Sub '${AWS::StackName}-n' }, Description: d }
";
    let template = Template::parse(text).unwrap();
    assert_eq!(template.format_version.as_deref(), Some("2010-09-09"));
    let size = &template.parameters["Size"];
    assert_eq!(
        (size.default.as_deref(), size.min_value, size.max_value, size.no_echo),
        (Some("5"), Some(1.0), Some(9.5), true)
    );
    assert_eq!(size.allowed_values, ["5", "6"]);
    assert_eq!(template.parameters["Nets"].kind, ParameterType::ListOfAws("AWS::EC2::Subnet::Id".into()));
    assert!(template.mappings["M"].rows["012345678901"].contains_key("k"));
    let bucket = &template.resources["Bucket"];
    assert_eq!(bucket.depends_on[0].name, "Db");
    assert_eq!(
        (bucket.on_delete(), bucket.on_replace()),
        (DeletionPolicy::RetainExceptOnCreate, DeletionPolicy::Delete)
    );
    assert_eq!(template.resources["Db"].on_delete(), DeletionPolicy::Snapshot);
    assert!(template.outputs["Name"].export.is_some());
}

#[test]
fn every_unknown_key_and_wrong_shape_is_reported_at_once() {
    let text = "
AWSTemplateFormatVersion: 2010-09-10
Resourcs: {}
Parameters:
  P-1: { Type: Strng, Defualt: 1 }
  Q: { Default: [1] }
Resources:
  Bucket: { Typ: AWS::S3::Bucket }
  Other: { Type: AWS::S3::Bucket, Properties: [], DeletionPolicy: retain, UpdateReplacePolicy: RetainExceptOnCreate }
  Empty:
  Q: { Type: AWS::S3::Bucket }
Outputs: { O: { Export: {} } }
";
    let expected = [
        "2:27: AWSTemplateFormatVersion: the only template format version is 2010-09-09",
        "3:1: unknown template section `Resourcs` (did you mean `Resources`?)",
        "5:3: Parameters.P-1: the name must be 1 to 255 letters and digits",
        "5:16: Parameters.P-1.Type: unknown parameter type `Strng` (did you mean `String`?)",
        "5:23: Parameters.P-1: unknown parameter key `Defualt` (did you mean `Default`?)",
        "6:3: Parameters.Q: `Type` is missing",
        "6:17: Parameters.Q.Default: must be a string, not a list",
        "8:3: Resources.Bucket: `Type` is missing",
        "8:13: Resources.Bucket: unknown resource attribute `Typ` (did you mean `Type`?)",
        "9:47: Resources.Other.Properties: must be a mapping, not a list",
        "9:67: Resources.Other.DeletionPolicy: unknown policy `retain` (did you mean `Retain`?)",
        "9:96: Resources.Other.UpdateReplacePolicy: unknown policy `RetainExceptOnCreate`",
        "10:8: Resources.Empty: must be a mapping, not null",
        "10:8: Resources.Empty: null values are not allowed in templates",
        "11:3: Resources.Q: a parameter has the same name",
        "12:12: Outputs.O: `Value` is missing",
        "12:25: Outputs.O.Export: `Name` is missing",
    ];
    assert_eq!(problems(text), expected);
}

#[test]
fn the_limits_of_aws_hold() {
    let many: String =
        (0..=MAX_RESOURCES).map(|number| format!("  B{number}: {{ Type: AWS::S3::Bucket }}\n")).collect();
    assert_eq!(problems(&format!("Resources:\n{many}")), ["2:3: Resources: 501 entries: at most 500 are allowed"]);
    assert!(problems("Description: nothing\n")[0].contains("At least one Resources member must be defined"));
    assert!(problems("- a\n")[0].contains("a template is a mapping, not a list"));
    let long = format!("Description: {}\nResources: {{ B: {{ Type: AWS::S3::Bucket }} }}\n", "x".repeat(1025));
    assert_eq!(problems(&long), ["1:1: Description: longer than 1024 bytes"]);
}

#[test]
fn aliases_are_refused_with_their_place_and_stars_are_not_aliases() {
    let text = "Resources:\n  A: &a {Type: AWS::S3::Bucket}\n  B: *a\n";
    assert_eq!(problems(text), ["3:6: YAML aliases are not allowed in CloudFormation templates"]);
    let text =
        "Resources:\n  A: {Type: AWS::S3::Bucket, Properties: {BucketName: '*', Tags: [{Key: a*, Value: \"*b\"}]}}\n";
    assert!(Template::parse(text).is_ok());
}
