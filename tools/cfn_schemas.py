#!/usr/bin/env python3
"""Makes src/template/tables/cloudformation.bin: what the program knows of CloudFormation's resource types.

The source is the official resource provider schemas of us-east-1 as cfn-lint carries them (https://github.com/aws-cloudformation/cfn-lint,
MIT-0). Property trees, constraints, attributes and replacement rules are kept for the types below, in one-letter keys
(see src/template/schema/table.rs); of all other types the names are kept. Run it with a Python that has cfn-lint:

    ~/.cache/labctl-venv/bin/python tools/cfn_schemas.py [--check]

--check writes nothing and fails if the committed file differs from what this cfn-lint gives.

The file: the length of the index (4 bytes, big endian), the index and then one table per type, each zlib-deflated JSON.
"""

import json
import pathlib
import re
import sys
import zlib
from importlib.metadata import version

import cfnlint.data.schemas
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

OUT = pathlib.Path(__file__).parent.parent / "src/template/tables/cloudformation.bin"
REGION = "us-east-1"

# Regular expressions (whole name) of the types whose tables are kept: what the labs use, and their ordinary neighbours.
KEEP = [
    "AWS::EC2::(VPC|Subnet|RouteTable|Route|SubnetRouteTableAssociation|InternetGateway|EgressOnlyInternetGateway|VPCGatewayAttachment)",
    "AWS::EC2::(VPCEndpoint|SecurityGroup|SecurityGroupIngress|SecurityGroupEgress|NatGateway|EIP|EIPAssociation|NetworkInterface)",
    "AWS::EC2::(NetworkAcl|NetworkAclEntry|SubnetNetworkAclAssociation|VPCCidrBlock|SubnetCidrBlock|DHCPOptions|VPCDHCPOptionsAssociation|FlowLog|PrefixList)",
    "AWS::S3::(Bucket|BucketPolicy|AccessPoint)",
    "AWS::IAM::.*",
    "AWS::RDS::(?!CustomDBEngine|Integration|DBShard).*",
    "AWS::SecretsManager::.*",
    "AWS::ElastiCache::.*",
    "AWS::Lambda::(?!CodeSigning|CapacityProvider).*",
    "AWS::ApiGateway::.*",
    "AWS::ApiGatewayV2::(Api|ApiMapping|Authorizer|Deployment|DomainName|Integration|IntegrationResponse|Model|Route|RouteResponse|Stage|VpcLink)",
    "AWS::Logs::(LogGroup|LogStream|MetricFilter|SubscriptionFilter|ResourcePolicy|QueryDefinition)",
    "AWS::CloudFormation::(CustomResource|Stack|WaitCondition|WaitConditionHandle)",
    "AWS::StepFunctions::(StateMachine|Activity|StateMachineAlias|StateMachineVersion)",
    "AWS::(Athena::(WorkGroup|NamedQuery|DataCatalog|PreparedStatement)|Glue::(Database|Table|Crawler|Job|Connection|Partition))",
    "AWS::Scheduler::.*",
    "AWS::(SNS::(Topic|TopicPolicy|Subscription)|SQS::(Queue|QueuePolicy)|SSM::Parameter|KMS::(Key|Alias)|DynamoDB::Table)",
    "AWS::(Events::Rule|CloudWatch::(Alarm|Dashboard)|Budgets::Budget|ECR::Repository|XRay::(Group|SamplingRule))",
    "AWS::QuickSight::(Dashboard|DataSet|DataSource|VPCConnection)",
]

LETTERS = {"string": "s", "integer": "i", "number": "n", "boolean": "b", "array": "a", "object": "o", "null": ""}
# JSON schema keyword -> key in the table, for what is kept as it is.
PLAIN = {
    "required": "q", "minimum": "mn", "maximum": "mx", "minLength": "ln", "maxLength": "lx", "minItems": "an", "maxItems": "ax",
    "enum": "e", "enumCaseInsensitive": "ei", "requiredXor": "qx", "requiredOr": "qo", "dependentRequired": "dq", "dependentExcluded": "dx",
}


def strings(values):
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def compact(schema):
    """One schema node; None if it says nothing."""
    if not isinstance(schema, dict):
        return {}
    node = {}
    if "$ref" in schema and schema["$ref"].startswith("#/definitions/"):
        node["r"] = schema["$ref"].removeprefix("#/definitions/")
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        node["t"] = "".join(LETTERS[name] for name in types)
    for keyword, key in PLAIN.items():
        if keyword in schema:
            value = schema[keyword]
            node[key] = strings(value) if keyword.startswith("enum") else value
    if "const" in schema:
        node["e"] = strings([schema["const"]])
    # Rust's regular expressions have no look-around; what they cannot say is not checked.
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not re.search(r"\(\?[=!<]|\\[1-9]", pattern):
        node["re"] = pattern
    if schema.get("uniqueItems") is True:
        node["u"] = True
    if schema.get("additionalProperties") is False:
        node["x"] = True
    if isinstance(schema.get("properties"), dict):
        node["p"] = {name: compact(value) for name, value in schema["properties"].items()}
    if isinstance(schema.get("patternProperties"), dict):
        node["pp"] = {pattern: compact(value) for pattern, value in schema["patternProperties"].items()}
    if isinstance(schema.get("items"), dict):
        node["i"] = compact(schema["items"])
    for keyword, key in (("anyOf", "any"), ("oneOf", "one")):
        if isinstance(schema.get(keyword), list):
            node[key] = [compact(value) for value in schema[keyword]]
    return node


def pointers(schema, key):
    """`/properties/A/*/B` -> `A.*.B`"""
    return sorted({".".join(pointer.split("/")[2:]) for pointer in schema.get(key, [])})


def table(name):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region=REGION, resource_type=name)
    raw = schema.schema
    attributes = sorted(key.replace("\\", "") for key in schema.get_atts.data)
    tagging = raw.get("tagging", {})
    tags = tagging.get("tagProperty", "/properties/Tags") if tagging.get("taggable", "Tags" in raw.get("properties", {})) else None
    result = {
        "s": compact({key: value for key, value in raw.items() if key not in ("type",)}),
        "d": {key: compact(value) for key, value in raw.get("definitions", {}).items()},
        "at": attributes,
        "ro": pointers(raw, "readOnlyProperties"),
        "co": pointers(raw, "createOnlyProperties"),
        "cc": pointers(raw, "conditionalCreateOnlyProperties"),
        "id": pointers(raw, "primaryIdentifier"),
    }
    if tags and tags.split("/")[-1] in raw.get("properties", {}):
        result["tg"] = tags.split("/")[-1]
    return result


def deflated(value):
    return zlib.compress(json.dumps(value, separators=(",", ":"), sort_keys=True).encode(), 9)


def make():
    folder = pathlib.Path(cfnlint.data.schemas.__file__).parent
    date = json.loads((folder / "version.json").read_text())["schema_date"]
    names = sorted(json.loads((folder / f"providers/{REGION}.json").read_text()))
    kept = [name for name in names if any(re.fullmatch(pattern, name) for pattern in KEEP)]
    blobs = [deflated(table(name)) for name in kept]
    index = deflated({
        "source": f"cfn-lint {version('cfn-lint')}, {REGION}",
        "date": date,
        "names": names,
        "tables": {name: len(blob) for name, blob in zip(kept, blobs)},
    })
    return len(index).to_bytes(4, "big") + index + b"".join(blobs), len(kept), len(names)


def content(data):
    """What a file says, whichever zlib wrote it."""
    size = int.from_bytes(data[:4], "big")
    index = json.loads(zlib.decompress(data[4:4 + size]))
    offset, tables = 4 + size, []
    for length in index.pop("tables").items():
        tables.append((length[0], zlib.decompress(data[offset:offset + length[1]])))
        offset += length[1]
    return index, tables


def main():
    data, kept, names = make()
    if "--check" in sys.argv[1:]:
        if not OUT.exists() or content(OUT.read_bytes()) != content(data):
            sys.exit(f"{OUT} is not what {sys.argv[0]} makes: run it and commit the result")
        return
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(data)
    print(f"{OUT}: {len(data)} bytes, tables of {kept} types, names of {names}")


if __name__ == "__main__":
    main()
