#!/usr/bin/env python3
"""Makes src/local/wire/models/*.json: what the wire codec knows of each AWS service.

The source is botocore's service models (https://github.com/boto/botocore, Apache-2.0). Every operation's name and HTTP
binding is kept, so that the local cloud can refuse by name what it does not do; shapes are kept for the operations that
match the patterns below, documentation is dropped. Run it with a Python that has botocore:

    ~/.cache/labctl-venv-aws/bin/python tools/service_models.py [--check]

--check writes nothing and fails if a committed file differs from what this botocore gives.
"""

import datetime
import gzip
import json
import os
import pathlib
import re
import sys

import botocore

OUT = pathlib.Path(__file__).parent.parent / "src/local/wire/models"

# Service -> regular expressions (whole name) of the operations whose shapes are kept.
KEEP = {
    "apigateway": [".*"],
    "apigatewayv2": ["(?!.*(Portal|ProductPage|ProductRest|RoutingRule)).*"],
    "cloudformation": [
        "(Create|Update|Delete|Describe|List|Validate|Execute|Cancel|Continue|Rollback)(Stack|Stacks|ChangeSet|ChangeSets)",
        "CancelUpdateStack", "ContinueUpdateRollback", "(Describe|List)Stack(Resource|Resources|Events)", "DescribeEvents",
        "GetTemplate", "GetTemplateSummary", "ValidateTemplate", "ListExports", "ListImports", "ListStackResources",
        "EstimateTemplateCost", "UpdateTerminationProtection", "(Get|Set)StackPolicy", "DescribeAccountLimits",
        "ListTypes", "DescribeType", "SignalResource", "DetectStackDrift",
    ],
    "ec2": [
        ".*(Vpc|Vpcs|VpcAttribute|DefaultVpc|VpcCidrBlock)", ".*(Subnet|Subnets|SubnetAttribute|SubnetCidrBlock|DefaultSubnet)",
        "(?!.*(LocalGateway|TransitGateway|Coip|Mirror|ClientVpn|RouteServer)).*(Route|RouteTable|RouteTables|RouteTableAssociation)",
        ".*SecurityGroup(s|Rules|Ingress|Egress|References|Vpc|VpcAssociations|Attribute|RuleDescriptions(In|E)gress)?",
        "(Create|Delete|Modify|Describe)VpcEndpoints?", "DescribeVpcEndpointServices",
        ".*InternetGateways?", ".*NatGateways?", ".*NetworkInterface(s|Attribute)?", ".*NetworkAcl(s|Entry|Association)?",
        "(Allocate|Release|Associate|Disassociate|Describe)Address(es)?", "DescribeAvailabilityZones", "DescribeRegions",
        "(Create|Delete|Describe)Tags", "DescribeAccountAttributes", "(Describe|Get).*PrefixList(s|Entries)", "DescribeVpcAttribute",
        "DescribeInstances", "DescribeInstanceTypes", "DescribeInstanceStatus", "DescribeKeyPairs", "DescribeImages", "DescribeVolumes",
        "(Create|Delete|Describe|Associate)DhcpOptions", "DescribeFlowLogs", "DescribeVpcPeeringConnections", "DescribeVpnGateways",
        "(Describe|Get)SecurityGroupsForVpc", "DescribeVpcClassicLink(DnsSupport)?", "DescribeEgressOnlyInternetGateways",
    ],
    "elasticache": ["(?!.*(Migration|GlobalReplicationGroup|ReservedCacheNodes)).*"],
    "iam": ["(?!.*(MFA|SAML|SSH|Signing|ServerCertificate|ServiceSpecific|Outbound|Delegation|Organizations|OpenIDConnect|HumanReadable)).*"],
    "lambda": ["GetFunctionCodeSigningConfig", "(?!.*(CodeSigning|Durable|CapacityProvider|Recursion|ScalingConfig|InvokeAsync)).*"],
    "logs": [
        ".*LogGroups?", ".*LogStreams?", "(Put|Get|Filter)LogEvents", "(Put|Delete)RetentionPolicy", "(Tag|Untag|ListTags)(Resource|LogGroup|ForResource|sForResource|sLogGroup)",
        "ListTagsForResource", ".*(Metric|Subscription)Filters?", ".*ResourcePolic(y|ies)", "(Start|Stop)Query", "GetQueryResults",
        "DescribeQueries", "(Associate|Disassociate)KmsKey", "GetLogRecord", "GetLogGroupFields", "ListLogGroups", "PutLogGroupDeletionProtection",
    ],
    "quicksight": [
        "(Create|Update|Delete|Describe)(DataSource|DataSet|Dashboard|VPCConnection|DashboardPermissions|DataSourcePermissions|DataSetPermissions)",
        "List(DataSources|DataSets|Dashboards|DashboardVersions|VPCConnections)", "UpdateDashboardPublishedVersion", "DescribeDashboardDefinition",
        "DescribeAccountSubscription", "DescribeAccountSettings", "(Tag|Untag)Resource", "ListTagsForResource",
    ],
    "rds": ["DescribeGlobalClusters", "(?!.*(Tenant|Blueprint|BlueGreen|CustomDBEngine|Integration|GlobalCluster|DBProxy|DBProxies|DBShard|Reserved|OptionGroup|DBSecurityGroup|ActivityStream|Recommendation|FromS3|AutomatedBackup)).*"],
    "rds-data": [".*"],
    "s3": [],
    "secretsmanager": [".*"],
    "sts": [".*"],
    "xray": [".*"],
}

SHAPE_KEYS = ["type", "enum", "min", "max", "pattern", "required", "payload", "flattened", "locationName", "timestampFormat",
              "sensitive", "streaming", "eventstream", "union", "document"]
MEMBER_KEYS = ["shape", "location", "locationName", "queryName", "flattened", "timestampFormat", "streaming"]


def pick(source, keys):
    return {key: source[key] for key in keys if key in source}


def shape(source):
    out = pick(source, SHAPE_KEYS)
    if "members" in source:
        out["members"] = {name: pick(member, MEMBER_KEYS) for name, member in source["members"].items()}
    for part in ("member", "key", "value"):
        if part in source:
            out[part] = pick(source[part], MEMBER_KEYS)
    if source.get("exception"):
        error = source.get("error", {})
        out["code"] = error.get("code", "")
        out["status"] = error.get("httpStatusCode", 500 if source.get("fault") else 400)
        out["sender"] = error.get("senderFault", not source.get("fault", False))
    return out


def references(source):
    yield from (member["shape"] for member in source.get("members", {}).values())
    yield from (source[part]["shape"] for part in ("member", "key", "value") if part in source)


def closure(shapes, roots):
    found, todo = set(), list(roots)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(references(shapes[name]))
    return found


def operation(source, kept):
    http = source["http"]
    out = {"method": http["method"], "uri": http["requestUri"]}
    if http.get("responseCode", 200) != 200:
        out["status"] = http["responseCode"]
    if kept:
        if "input" in source:
            out["input"] = source["input"]["shape"]
        if "output" in source:
            out["output"] = source["output"]["shape"]
            if "resultWrapper" in source["output"]:
                out["wrapper"] = source["output"]["resultWrapper"]
        out["kept"] = True
    return out


def table(service, patterns):
    data = pathlib.Path(botocore.__file__).parent / "data" / service
    newest = sorted(path for path in data.iterdir() if (path / "service-2.json.gz").exists())[-1]
    with gzip.open(newest / "service-2.json.gz") as file:
        model = json.load(file)
    kept = [name for name in model["operations"] if any(re.fullmatch(pattern, name) for pattern in patterns)]
    roots = []
    for name in kept:
        source = model["operations"][name]
        roots += [source[end]["shape"] for end in ("input", "output") if end in source]
        roots += [error["shape"] for error in source.get("errors", [])]
    shapes = closure(model["shapes"], roots)
    metadata = pick(model["metadata"], ["protocol", "apiVersion", "targetPrefix", "jsonVersion", "signingName", "endpointPrefix", "xmlNamespace"])
    lines = ["{", f' "source": "botocore {botocore.__version__}, {service}/{newest.name}/service-2.json.gz",',
             f' "made": "{datetime.date.today()}",', f' "metadata": {compact(metadata)},', ' "operations": {']
    lines += entries({name: operation(source, name in kept) for name, source in sorted(model["operations"].items())})
    lines += [" },", ' "shapes": {']
    lines += entries({name: shape(model["shapes"][name]) for name in sorted(shapes)})
    lines += [" }", "}", ""]
    return "\n".join(lines), len(kept), len(model["operations"]), len(shapes)


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def entries(items):
    lines = [f'  "{name}": {compact(value)},' for name, value in items.items()]
    if lines:
        lines[-1] = lines[-1].removesuffix(",")
    return lines


def undated(text):
    return re.sub(r'"made": "[^"]*"', "", text)


def main():
    check = "--check" in sys.argv[1:]
    stale = []
    for service, patterns in KEEP.items():
        text, kept, all_operations, shapes = table(service, patterns)
        path = OUT / f"{service}.json"
        if path.exists() and undated(path.read_text()) == undated(text):
            continue
        stale.append(service)
        if not check:
            OUT.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"{path}: {kept} of {all_operations} operations, {shapes} shapes, {os.path.getsize(path)} bytes")
    if check and stale:
        sys.exit(f"differs from botocore {botocore.__version__}: {', '.join(stale)}")


if __name__ == "__main__":
    main()
