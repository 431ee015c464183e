"""A whole life of a secret through boto3. Exits 0 only if all of it held."""

import json
import os
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

sm = boto3.client(
    "secretsmanager",
    endpoint_url=os.environ["ENDPOINT"],
    config=Config(retries={"total_max_attempts": 1}),
)
NAME = "prod/mailer"


def check(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: got {got!r}, want {want!r}")
    print("ok", what)


def refused(what, code, call, **args):
    try:
        call(**args)
    except ClientError as err:
        check(what, err.response["Error"]["Code"], code)
    else:
        raise SystemExit(f"{what}: was not refused")


def value(**args):
    return sm.get_secret_value(SecretId=NAME, **args)["SecretString"]


def wait_until_rotated(version):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        stages = sm.describe_secret(SecretId=NAME)["VersionIdsToStages"]
        if stages.get(version) == ["AWSCURRENT"]:
            return
        time.sleep(0.05)
    raise SystemExit(f"not rotated after 30 s: {stages}")


# Create and read.
made = sm.create_secret(
    Name=NAME,
    SecretString=json.dumps({"apiKey": "first"}),
    Tags=[{"Key": "team", "Value": "mail"}],
)
check("create: name", made["Name"], NAME)
check("read by ARN", json.loads(sm.get_secret_value(SecretId=made["ARN"])["SecretString"]), {"apiKey": "first"})
check("binary is absent", "SecretBinary" in sm.get_secret_value(SecretId=NAME), False)
refused("create twice", "ResourceExistsException", sm.create_secret, Name=NAME, SecretString="x")

# Rotate, and read both values.
version = sm.rotate_secret(
    SecretId=NAME,
    RotationLambdaARN=os.environ["FUNCTION"],
    RotationRules={"AutomaticallyAfterDays": 30},
)["VersionId"]
wait_until_rotated(version)
check("rotated", value(), "rotated-" + version)
check("previous", json.loads(value(VersionStage="AWSPREVIOUS")), {"apiKey": "first"})
described = sm.describe_secret(SecretId=NAME)
check("rotation is enabled", described["RotationEnabled"], True)
check("function", described["RotationLambdaARN"], os.environ["FUNCTION"])
check("dates are times", described["LastRotatedDate"].year >= 2024, True)
versions = sm.list_secret_version_ids(SecretId=NAME)["Versions"]
check("versions", sorted(s for v in versions for s in v["VersionStages"]), ["AWSCURRENT", "AWSPREVIOUS"])

# Tags and lists, page by page.
sm.tag_resource(SecretId=NAME, Tags=[{"Key": "owner", "Value": "mail@example.com"}])
sm.untag_resource(SecretId=NAME, TagKeys=["team"])
check("tags", sm.describe_secret(SecretId=NAME)["Tags"], [{"Key": "owner", "Value": "mail@example.com"}])
for i in range(5):
    sm.create_secret(Name=f"many/{i}", SecretString=str(i))
pages = list(
    sm.get_paginator("list_secrets").paginate(
        Filters=[{"Key": "name", "Values": ["many/"]}], PaginationConfig={"PageSize": 2}
    )
)
check("pages", [len(p["SecretList"]) for p in pages], [2, 2, 1])
check("names", sorted(s["Name"] for p in pages for s in p["SecretList"]), [f"many/{i}" for i in range(5)])

# Binary values.
sm.create_secret(Name="binary", SecretBinary=b"\x00\xff")
check("binary", sm.get_secret_value(SecretId="binary")["SecretBinary"], b"\x00\xff")

# Policies.
policy = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:role/mailer"},
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "*",
        }
    ],
}
sm.put_resource_policy(SecretId=NAME, ResourcePolicy=json.dumps(policy), BlockPublicPolicy=True)
check("policy", json.loads(sm.get_resource_policy(SecretId=NAME)["ResourcePolicy"]), policy)
verdict = sm.validate_resource_policy(ResourcePolicy=json.dumps(policy))
check("policy is valid", verdict["PolicyValidationPassed"], True)
policy["Statement"][0]["Principal"] = "*"
refused(
    "public policy", "PublicPolicyException", sm.put_resource_policy,
    SecretId=NAME, ResourcePolicy=json.dumps(policy), BlockPublicPolicy=True,
)
sm.delete_resource_policy(SecretId=NAME)
check("no policy", "ResourcePolicy" in sm.get_resource_policy(SecretId=NAME), False)

# Errors.
refused("no secret", "ResourceNotFoundException", sm.get_secret_value, SecretId="nowhere")
refused("no version", "ResourceNotFoundException", sm.get_secret_value, SecretId=NAME, VersionStage="NONE")
refused(
    "stage of another version", "InvalidParameterException", sm.update_secret_version_stage,
    SecretId=NAME, VersionStage="AWSCURRENT", MoveToVersionId=made["VersionId"], RemoveFromVersionId=made["VersionId"],
)

# The end.
sm.delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
refused("deleted", "InvalidRequestException", sm.get_secret_value, SecretId=NAME)
sm.restore_secret(SecretId=NAME)
check("restored", value(), "rotated-" + version)
sm.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
refused("gone", "ResourceNotFoundException", sm.describe_secret, SecretId=NAME)
