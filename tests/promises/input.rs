//! Bad input: exit code 2, nothing touched, the place, the near miss, and everything that is wrong at once.

use serde_json::Value;

use crate::support::{Machine, Said};

/// A lab whose manifest and only template are these.
fn lab(manifest: &str, template: &str) -> Machine {
    let machine = Machine::new();
    machine.write("lab.yaml", manifest);
    machine.write("templates/shop.yaml", template);
    machine
}

const BUCKET: &str = "Resources:\n  Shop: {Type: AWS::S3::Bucket}\n";

/// `up` refuses the lab in the working folder; each of `told` is among the problems it lists.
#[track_caller]
fn refused(machine: &Machine, more: &[&str], told: &[&str]) -> String {
    let said = machine.run(&[&["up", ".", "--local"], more].concat()).ended(2);
    for told in told {
        assert!(said.contains(told), "not told: {told}\n{said}");
    }
    machine.is_untouched();
    said
}

#[test]
fn an_unknown_lab_command_flag_or_type_is_refused_with_the_near_miss() {
    let machine = Machine::new();
    let cases: &[(&[&str], &str)] = &[
        (&["up", "superheros", "--local"], "no lab is called `superheros` (did you mean `superheroes`?)"),
        (&["plan", "Superheroes", "--local"], "(did you mean `superheroes`?)"),
        (&["deploy-lambda", "superherose", "--local"], "(did you mean `superheroes`?)"),
        (&["validate", "supeheroes", "--local"], "(did you mean `superheroes`?)"),
        (&["init", "superheros"], "did you mean `superheroes`?"),
        (&["up", "./nowhere", "--local"], "nowhere"),
        (&["up", "--local"], "cannot read lab.yaml"),
        (&["upp", "superheroes"], "'up'"),
        (&["up", "superheroes", "--lcoal"], "'--local'"),
        (&["local", "strat"], "'start'"),
        (&["ls", "--output", "jsn"], "'json'"),
        (&["sql", "superheroes", "--format", "tabel"], "'table'"),
        (&["up", "superheroes", "--ttl", "tomorrow"], "4h"),
        (&["up", "superheroes", "--local", "--port", "70000"], "70000"),
        (&["up", "superheroes", "--local", "--profile", "x"], "cannot be used with"),
        (&["deploy-lambda", "superheroes", "superheros", "nothing", "--local"], "no function is called `nothing`"),
        (&["deploy-lambda", "superheroes", "superheros", "--local"], "(did you mean `superheroes`?)"),
    ];
    for (args, told) in cases {
        let said = machine.run(args).ended(2);
        assert!(said.contains(told), "{args:?}: {said}");
        machine.is_untouched();
    }
}

#[test]
fn names_that_could_not_be_part_of_a_resource_s_name_are_refused_before_anything_is_asked() {
    let machine = Machine::new();
    let long = "x".repeat(300);
    for env in ["Dev", "a b", "a\tb", "a\nb", "\u{1b}[31m", "é", "a/b", "..", "-a", "", "a;b", "$(id)", &long] {
        let said = machine.run(&["up", "superheroes", "--local", &format!("--env={env}")]).ended(2);
        assert!(said.contains("lower-case letters"), "{env:?}: {said}");
    }
    for name in ["a\nb", "\u{1b}[31mred", "no such lab", &long] {
        let said = machine.run(&["up", name, "--local"]).ended(2);
        assert!(!said.contains('\u{1b}'), "control characters reach the terminal: {said:?}");
    }
    machine.is_untouched();
}

#[test]
fn every_parameter_that_is_wrong_is_told_at_once() {
    let machine = Machine::new();
    let set = |pairs: &[&str]| {
        let mut args = vec!["up", "superheroes", "--local"];
        pairs.iter().for_each(|pair| args.extend(["--set", *pair]));
        machine.run(&args).ended(2)
    };
    let said = set(&[
        "ApiAcces=public",
        "CacheTtlSeconds=0",
        "AuroraMaxCapacity=lots",
        "ApiAccess=publc",
        "ThrottleRate=1",
        "ThrottleRate=2",
        "NoEquals",
        "=5",
        "AuroraMinCapacity=NaN",
    ]);
    for told in [
        "no parameter `ApiAcces` (did you mean `ApiAccess`?)",
        "`CacheTtlSeconds` must be from 1 to 86400: 0",
        "`AuroraMaxCapacity` must be a number: lots",
        "`ApiAccess` must be one of api-key, public (did you mean `public`?): publc",
        "`ThrottleRate` is set twice",
        "`--set NoEquals` has no `=`: write --set Name=value",
        "`AuroraMinCapacity` must be a number: NaN",
        "no parameter ``",
    ] {
        assert!(said.contains(told), "not told: {told}\n{said}");
    }
    machine.is_untouched();
}

#[test]
fn a_text_that_is_not_yaml_is_refused_with_its_place() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "lab.yaml:1:1: the document is empty"),
        (b"# only a comment\n", "lab.yaml:1:1: the document is empty"),
        (b"lab: shop\n\tdescription: tab\n", "lab.yaml:2:1: not valid YAML: a tab cannot indent"),
        (b"lab: shop\n description: x\n", "lab.yaml:2:"),
        (b"lab: shop\ndescription: \"no end\n", "lab.yaml:2:14: not valid YAML"),
        (b"lab: shop\nstacks: [shop\n", "not valid YAML"),
        (b"lab: shop\nlab: shop\n", "lab.yaml:2:1: the key `lab` is there twice"),
        (b"lab: shop\n---\nlab: shop\n", "lab.yaml:2:1: a second document in one file"),
        (b"lab: shop\ndescription: caf\xe9\n", "lab.yaml:2:17: the byte 0xe9 is not UTF-8 text"),
        (b"\xff\xfel\0a\0b\0", "lab.yaml:1:1: the byte 0xff is not UTF-8 text"),
        (b"lab: &a [*a]\n", "lab.yaml:1:"),
        (
            b"lab: !Sbu shop\ndescription: d\nstacks: [shop]\n",
            "lab.yaml:1:6: lab: unknown tag `!Sbu` (did you mean `!Sub`?)",
        ),
        (
            b"lab: !!binary shop\ndescription: d\nstacks: [shop]\n",
            "lab.yaml:1:6: lab: the YAML tag `!!binary` is not supported",
        ),
        (b"<<: {lab: shop}\ndescription: d\nstacks: [shop]\n", "merge keys"),
        (b"- lab\n", "lab.yaml:1:1: must be a mapping, not a list"),
        (b"{\"lab\": \"shop\",}\n", "lab.yaml:1:"),
        (b"lab: shop\ndescription: \"\\q\"\nstacks: [shop]\n", "lab.yaml:2:"),
    ];
    for (text, told) in cases {
        let machine = Machine::new();
        machine.write("lab.yaml", text);
        refused(&machine, &[], &[told]);
        let template = lab("lab: shop\ndescription: d\nstacks: [shop]\n", "");
        template.write("templates/shop.yaml", text);
        let in_template =
            told.split_once(": ").map_or("templates/shop.yaml:", |(_, what)| what.split(": ").last().unwrap());
        if !told.contains("must be a mapping") && !told.starts_with("lab.yaml:1:6") {
            refused(&template, &[], &["templates/shop.yaml:", in_template]);
        }
    }
    let deep = Machine::new();
    deep.write("lab.yaml", format!("lab: {}x{}\n", "[".repeat(5000), "]".repeat(5000)));
    refused(&deep, &[], &["lab.yaml:1:"]);
    let bomb: String = (1..40).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)).collect();
    let machine = Machine::new();
    machine.write("lab.yaml", format!("a0: &a0 [x]\n{bomb}"));
    refused(&machine, &[], &["values (aliases expanded)"]);
}

#[test]
fn everything_wrong_with_a_manifest_its_templates_and_the_values_is_told_in_one_run() {
    let manifest = "lab: shop
description: d
desciption: twice
parameters:
  Size: {type: integer, min: 5, max: 1}
  Kind: {type: chioce}
  Ttl: {type: integer, min: 1, defualt: 3, default: 3}
  Word: {type: string, default: x}
stacks: [shop, shpo, Shop/../x]
functions: {f: {crate: ../evil}, g: {crate: none}}
data: [{file: ../../etc/passwd, to: s3://b/k}, {file: no.csv, to: nowhere}]
sql: {path: sql, cluster: shopp}
checks: [{name: c, http: {method: GETT, path: x}, expect: {status: 900}}, {name: d}]
";
    let template = "Parameters:
  Word: {Type: Strng}
Resource: {}
Resources:
  Shop: {Type: AWS::S3::Buket, Properties: {BucketNam: x}}
  Other: {Type: AWS::S3::Bucket, Propertes: {}, Properties: {BucketNam: !Ref Shpo, Tags: 5}}
";
    let machine = lab(manifest, template);
    refused(
        &machine,
        &["--set", "Word"],
        &[
            "lab.yaml:3:1: unknown key `desciption` (did you mean `description`?)",
            "lab.yaml:5:38: parameters.Size.max: is less than `min`",
            "lab.yaml:6:16: parameters.Kind.type: unknown type `chioce` (did you mean `choice`?)",
            "lab.yaml:7:32: parameters.Ttl: unknown key of a parameter of type integer `defualt` (did you mean `default`?)",
            "lab.yaml:9:16: stacks: there is no template templates/shpo.yaml (did you mean `shop`?)",
            "lab.yaml:9:22: stacks: `Shop/../x` is no stack name",
            "functions.f.crate: `../evil` is no crate name",
            "there is no file lambdas/none/Cargo.toml",
            "data.0.file: must be a path beside the manifest",
            "data.1.to: must be `s3://<bucket>/<key>`",
            "sql.cluster: `shopp` is no stack of this lab (did you mean `shop`?)",
            "checks.0.http.method",
            "checks.0.expect.status",
            "checks.1: needs `http` or `sql`",
            "shop.yaml:2:16: Parameters.Word.Type: unknown parameter type `Strng` (did you mean `String`?)",
            "shop.yaml:3:1: unknown template section `Resource` (did you mean `Resources`?)",
            "unknown resource type `AWS::S3::Buket` (did you mean `AWS::S3::Bucket`?)",
            "`Propertes` (did you mean `Properties`?)",
            "`BucketNam` (did you mean `BucketName`?)",
            "`Shpo` is no parameter, resource or pseudo parameter (did you mean `Shop`?)",
        ],
    );
    let said = machine.run(&["up", ".", "--local", "--output", "json"]);
    assert_eq!(said.code, Some(2));
    assert!(said.json()["error"]["problems"].as_array().unwrap().len() > 19, "{}", said.out);
}

#[test]
fn the_values_are_held_to_a_manifest_whose_template_is_wrong() {
    let manifest =
        "lab: shop\ndescription: d\nparameters: {Size: {type: integer, max: 3, default: 1}}\nstacks: [shop]\n";
    let machine = lab(manifest, "Parameters: {Size: {Type: Number}}\nResources: {A: {Type: AWS::S3::Bukket}}\n");
    refused(
        &machine,
        &["--set", "Size=4", "--set", "Sise=1"],
        &[
            "`AWS::S3::Bukket` (did you mean `AWS::S3::Bucket`?)",
            "`Size` must be at most 3: 4",
            "no parameter `Sise` (did you mean `Size`?)",
        ],
    );
}

#[test]
fn a_parameter_with_two_givers_or_none_is_refused_with_its_place() {
    let manifest = "lab: shop\ndescription: d\nparameters:\n  Name: {type: string, default: x}\n  Nmae: {type: string, default: x}\nstacks: [shop, other]\n";
    let machine = lab(manifest, &format!("{BUCKET}Outputs:\n  Name: {{Value: !Ref Shop}}\n"));
    let template =
        "Parameters:\n  Name: {Type: String}\n  Nam: {Type: String}\nResources:\n  B: {Type: AWS::S3::Bucket}\n";
    machine.write("templates/other.yaml", template);
    refused(
        &machine,
        &["--set", "Name=y", "--set", "Size=1"],
        &[
            "lab.yaml:5:3: parameters.Nmae: no template of the lab has a parameter of this name (did you mean `Name`?)",
            "other.yaml:2:3: Parameters.Name: has more than one source: the lab's parameter and the output of stack `shop`",
            "other.yaml:3:3: Parameters.Nam: has no default, and no lab parameter, output of another stack or value of labctl has its name (did you mean `Name`?)",
            "no parameter `Size`",
        ],
    );
    let circle = lab(
        "lab: shop\ndescription: d\nstacks: [shop, other]\n",
        "Parameters: {B: {Type: String}}\nResources: {S: {Type: AWS::S3::Bucket}}\nOutputs: {A: {Value: !Ref S}}\n",
    );
    circle.write(
        "templates/other.yaml",
        "Parameters: {A: {Type: String}}\nResources: {S: {Type: AWS::S3::Bucket}}\nOutputs: {B: {Value: !Ref S}}\n",
    );
    refused(&circle, &[], &["in a circle"]);
}

#[test]
fn a_name_of_no_output_is_found_in_data_sql_and_checks_before_anything_is_made() {
    let manifest = "lab: shop
description: d
stacks: [shop]
data: [{file: a.csv, to: \"s3://${LabBuckt}/a.csv\"}]
sql: {path: sql, cluster: shop}
checks: [{name: c, http: {method: GET, path: \"/${Lab}\"}, expect: {status: 200}}]
";
    let machine = lab(manifest, &format!("{BUCKET}Outputs:\n  LabBucket: {{Value: !Ref Shop}}\n"));
    machine.write("a.csv", "1,2\n");
    machine.write("sql/001_a.sql", "-- first\nSELECT 1;\nSELECT '${LabBukcet}',\n  '${Nothing}';\n");
    machine.write("sql/002_b.sql", "SELECT 'no end;\n");
    refused(
        &machine,
        &[],
        &[
            "lab.yaml:4:8: data: `${LabBuckt}` is no output or parameter of the lab (did you mean `LabBucket`?)",
            "lab.yaml:6:10: checks: no template gives it the output `ApiId`",
            "checks: `${Lab}` is no output or parameter of the lab",
            "lab.yaml:5:27: sql.cluster: no template gives it the output `ClusterArn`",
            "sql/001_a.sql: line 3: `${LabBukcet}` is no output or parameter of the lab; did you mean `LabBucket`?",
            "sql/001_a.sql: line 4: `${Nothing}`",
            "sql/002_b.sql: the string that begins at line 1, column 8 does not end",
        ],
    );
    machine.write("sql/001_a.sql", b"SELECT '\xff';");
    refused(&machine, &[], &["sql/001_a.sql:1:9: the byte 0xff is not UTF-8 text"]);
}

#[test]
fn an_error_is_one_json_document_wherever_it_comes_from() {
    let machine = Machine::new();
    let cases: &[&[&str]] = &[
        &["upp"],
        &["up", "superheroes", "--env", "A B"],
        &["up", "superheros", "--local"],
        &["up", "superheroes", "--local", "--set", "x"],
        &["deploy-lambda", "superheroes", "nothing", "--local"],
        &["up", "./nowhere"],
        &["sql", "superheroes", "-e", "SELECT 1", "-f", "x"],
    ];
    for args in cases {
        for form in [&["--output", "json"][..], &["--output=json"]] {
            let said: Said = machine.run(&[args, form].concat());
            assert_eq!(said.code, Some(2), "{args:?}: {}", said.err);
            let document: Value = said.json();
            assert_eq!(document["error"]["exit_code"], 2, "{args:?}: {document}");
            assert!(document["error"]["summary"].as_str().is_some_and(|text| !text.is_empty()), "{document}");
        }
    }
    let tip = machine.run(&["upp", "--output", "json"]).json();
    assert!(tip["error"]["hints"][0].as_str().unwrap().contains("'up'"), "{tip}");
    machine.is_untouched();
}
