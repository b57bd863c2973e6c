//! A lab of two functions that run one package, without an engine: it is up in a second, and its function builds in a few.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use super::machine::Machine;

/// The function: `tests/functions/unruly.rs`, which tells its generation.
const UNRULY: &str = include_str!("../functions/unruly.rs");

const MANIFEST: &str = "lab: small
description: two functions of one package
stacks: [functions]
functions:
  one: { crate: one, handler: bootstrap }
";

const CRATE: &str = "[package]
name = \"one\"
version = \"0.1.0\"
edition = \"2024\"

[workspace]
";

const TEMPLATE: &str = r#"AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  LabName: { Type: String }
  LabEnv: { Type: String }
  ArtifactBucket: { Type: String }
  OneCodeKey: { Type: String }
  FunctionArchitecture: { Type: String }
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: "sts:AssumeRole" }]
  One:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub "${LabName}-${LabEnv}-one"
      Runtime: provided.al2023
      Architectures: [!Ref FunctionArchitecture]
      Handler: bootstrap
      Code: { S3Bucket: !Ref ArtifactBucket, S3Key: !Ref OneCodeKey }
      Role: !GetAtt Role.Arn
      Timeout: 10
  Two:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub "${LabName}-${LabEnv}-two"
      Runtime: provided.al2023
      Architectures: [!Ref FunctionArchitecture]
      Handler: bootstrap
      Code: { S3Bucket: !Ref ArtifactBucket, S3Key: !Ref OneCodeKey }
      Role: !GetAtt Role.Arn
      Timeout: 10
Outputs:
  FunctionName: { Value: !Ref One }
"#;

/// The function's source, of a generation. No other run of the tests has it: what was built before is not built again, and
/// here the building is what is looked at.
pub(crate) fn source(generation: u32) -> String {
    static RUN: OnceLock<String> = OnceLock::new();
    let run = RUN.get_or_init(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        format!("{}-{}", std::process::id(), now.as_nanos())
    });
    let told = format!("\\\"body\\\":\\\"generation {generation} process ");
    let source = UNRULY.replace("\\\"body\\\":\\\"process ", &told);
    assert_ne!(source, UNRULY);
    format!("{source}\n// Of run {run}.\n")
}

/// Writes the lab to the folder `small`.
pub(crate) fn write(machine: &Machine) {
    machine.write("small/lab.yaml", MANIFEST);
    machine.write("small/templates/functions.yaml", TEMPLATE);
    machine.write("small/lambdas/one/Cargo.toml", CRATE);
    machine.write("small/lambdas/one/src/main.rs", source(1));
}
