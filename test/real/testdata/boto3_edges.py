"""The edges of Secrets Manager through boto3. Exits 0 only if all of it held."""

import io
import json
import os
import re
import time
import urllib.request
import uuid
import zipfile
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
sm, fn, trail = (
    boto3.client(service, endpoint_url=os.environ["ENDPOINT"], config=config)
    for service in ("secretsmanager", "lambda", "cloudtrail")
)
wrong = []


def check(what, got, want):
    if got != want:
        wrong.append(what)
        print(f"NOT {what}: got {got!r}, want {want!r}")
    else:
        print("ok", what)


def refused(what, code, text, call, **args):
    try:
        call(**args)
    except ClientError as err:
        check(what + ": code", err.response["Error"]["Code"], code)
        message = err.response["Error"]["Message"]
        if text not in message:
            check(what + ": text", message, text)
    else:
        check(what, "accepted", code)


def keys(answer):
    return sorted(set(answer) - {"ResponseMetadata"})


def names(**args):
    return [s["Name"] for s in sm.list_secrets(**args)["SecretList"]]


def stages(name):
    return {k: sorted(v) for k, v in sm.describe_secret(SecretId=name)["VersionIdsToStages"].items()}


def until(what, done):
    deadline = time.monotonic() + 30
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit("still not: " + what)
        time.sleep(0.05)


def control(method, path, body=None):
    request = urllib.request.Request(
        os.environ["ENDPOINT"] + "/_local/" + path, method=method,
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
        return json.loads(text) if text else None


MARKED = "You can't perform this operation on the secret because it was marked for deletion."
ABSENT = "Secrets Manager can't find the specified secret."
INVALID = "failed to satisfy constraint"

# What is in an answer, and what is not.
bare = sm.create_secret(Name="bare")
check("create without a value", keys(bare), ["ARN", "Name"])
check("describe without a value", keys(sm.describe_secret(SecretId="bare")), ["ARN", "CreatedDate", "LastChangedDate", "Name"])
refused("no value", "ResourceNotFoundException", "secret value for staging label: AWSCURRENT", sm.get_secret_value, SecretId="bare")
check("update of no value", keys(sm.update_secret(SecretId="bare", Description="d")), ["ARN", "Name"])
first = sm.put_secret_value(SecretId="bare", SecretString="v", VersionStages=["AWSPENDING"])
check("the first version is current", first["VersionStages"], ["AWSPENDING", "AWSCURRENT"])
made = sm.create_secret(Name="edge/one", SecretString="v1", Description="One two", Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}])
check("create", keys(made), ["ARN", "Name", "VersionId"])
check("ARN", bool(re.fullmatch(r"arn:aws:secretsmanager:us-east-1:123456789012:secret:edge/one-[A-Za-z0-9]{6}", made["ARN"])), True)
value = sm.get_secret_value(SecretId=made["ARN"])
check("value", keys(value), ["ARN", "CreatedDate", "Name", "SecretString", "VersionId", "VersionStages"])
seen = sm.describe_secret(SecretId=made["ARN"][:-7])
check("describe by partial ARN", seen["Tags"], [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}])
accessed = seen["LastAccessedDate"].astimezone(timezone.utc)
check("a date without time", (accessed.hour, accessed.minute, accessed.second), (0, 0, 0))
check("request ID", len(seen["ResponseMetadata"]["RequestId"]), 36)

# Names, lengths, and what is missing.
for name in ("a b", "a*", "a?", "a\\b", "a#", "ä"):
    refused(f"name {name}", "ValidationException", "Invalid name. Must be a valid name", sm.create_secret, Name=name, SecretString="v")
refused("no id", "ValidationException", "Value null at 'secretId' failed to satisfy constraint: Member must not be null", sm.get_secret_value)
refused("unknown", "ResourceNotFoundException", ABSENT, sm.describe_secret, SecretId="nowhere")
refused("unknown ARN", "ResourceNotFoundException", ABSENT, sm.describe_secret, SecretId=made["ARN"][:-1] + "_")
refused("too long", "ValidationException", INVALID, sm.create_secret, Name="long", SecretString="x" * 65537)
check("longest", keys(sm.create_secret(Name="long", SecretBinary=b"\x00" * 65536)), ["ARN", "Name", "VersionId"])
check("longest again", sm.get_secret_value(SecretId="long")["SecretBinary"], b"\x00" * 65536)
refused("both", "InvalidParameterException", "both a binary secret value and a string", sm.put_secret_value, SecretId="long", SecretString="a", SecretBinary=b"a")
refused("neither", "InvalidRequestException", "You must provide either SecretString or SecretBinary", sm.put_secret_value, SecretId="long")
refused("token", "InvalidParameterException", "ClientRequestToken must be 32-64 characters long.", sm.put_secret_value, SecretId="long", SecretString="a", ClientRequestToken="x" * 65)

# Tokens.
token = str(uuid.uuid4())
same = {"Name": "edge/token", "SecretString": "v", "ClientRequestToken": token}
once = sm.create_secret(**same)
again = sm.create_secret(**same)
check("create again", (again["ARN"], again["VersionId"]), (once["ARN"], token))
taken = f"You can't use ClientRequestToken {token} because that value is already in use for a version of secret {once['ARN']}."
refused("create with another value", "ResourceExistsException", taken, sm.create_secret, **{**same, "SecretString": "w"})
refused("create with another token", "ResourceExistsException", "The operation failed because the secret edge/token already exists.", sm.create_secret, Name="edge/token", SecretString="v")
refused("put with another value", "ResourceExistsException", taken, sm.put_secret_value, SecretId="edge/token", SecretString="w", ClientRequestToken=token)
refused("update with another value", "ResourceExistsException", taken, sm.update_secret, SecretId="edge/token", SecretString="w", ClientRequestToken=token)
check("put again", sm.put_secret_value(SecretId="edge/token", SecretString="v", ClientRequestToken=token)["VersionStages"], ["AWSCURRENT"])
check("one version", len(sm.list_secret_version_ids(SecretId="edge/token", IncludeDeprecated=True)["Versions"]), 1)

# Labels.
two = sm.put_secret_value(SecretId="edge/token", SecretString="v2", VersionStages=["L1", "L2"])
check("labels", two["VersionStages"], ["L1", "L2"])
three = sm.put_secret_value(SecretId="edge/token", SecretString="v3", VersionStages=["L1"])
check("a label moves", stages("edge/token"), {token: ["AWSCURRENT"], two["VersionId"]: ["L2"], three["VersionId"]: ["L1"]})
move = {"SecretId": "edge/token", "VersionStage": "AWSCURRENT"}
refused("from nowhere", "InvalidParameterException", f"The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version {token}", sm.update_secret_version_stage, **move, MoveToVersionId=two["VersionId"])
refused("from another", "InvalidParameterException", "AWSCURRENT", sm.update_secret_version_stage, **move, MoveToVersionId=two["VersionId"], RemoveFromVersionId=three["VersionId"])
refused("AWSCURRENT away", "InvalidParameterException", "AWSCURRENT", sm.update_secret_version_stage, **move, RemoveFromVersionId=token)
refused("to nowhere", "ResourceNotFoundException", "VersionId: " + "0" * 32, sm.update_secret_version_stage, **move, MoveToVersionId="0" * 32, RemoveFromVersionId=token)
sm.update_secret_version_stage(**move, MoveToVersionId=two["VersionId"], RemoveFromVersionId=token)
check("AWSPREVIOUS follows", stages("edge/token"), {token: ["AWSPREVIOUS"], two["VersionId"]: ["AWSCURRENT", "L2"], three["VersionId"]: ["L1"]})
refused("label of another", "InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.", sm.get_secret_value, SecretId="edge/token", VersionId=token, VersionStage="AWSCURRENT")
refused("too many labels", "LimitExceededException", "", sm.put_secret_value, SecretId="edge/token", SecretString="x", VersionStages=[f"S{i}" for i in range(20)])

# Lists and filters.
sm.create_secret(Name="Edge/two", SecretString="v", Description="two Three", Tags=[{"Key": "Env", "Value": "Prod"}])
by = lambda *filters: names(Filters=[{"Key": k, "Values": v} for k, v in filters])
check("name", by(("name", ["edge/"])), ["edge/one", "edge/token"])
check("name or name", by(("name", ["edge/o", "Edge"])), ["edge/one", "Edge/two"])
check("name not", by(("name", ["!edge/", ]), ("description", ["t"])), ["Edge/two"])
check("description, any case", by(("description", ["TWO"])), ["edge/one", "Edge/two"])
check("tag-key", by(("tag-key", ["Env"])), ["Edge/two"])
check("tag-key, case", by(("tag-key", ["env"])), [])
check("tag-value", by(("tag-value", ["Pro"])), ["Edge/two"])
check("and", by(("description", ["two"]), ("tag-key", ["a"])), ["edge/one"])
check("all", by(("all", ["prod"])), ["Edge/two"])
refused("filter", "ValidationException", "Value 'arn' at 'filters.1.member.key' failed to satisfy constraint: Member must satisfy enum value set", sm.list_secrets, Filters=[{"Key": "arn", "Values": ["x"]}])
everything = names(SortOrder="asc")
check("order", names(SortOrder="desc"), everything[::-1])
pages, more = [], {}
while True:
    page = sm.list_secrets(MaxResults=2, **more)
    pages += [s["Name"] for s in page["SecretList"]]
    if "NextToken" not in page:
        break
    more = {"NextToken": page["NextToken"]}
check("pages", pages, everything)
refused("page token", "InvalidNextTokenException", "", sm.list_secrets, NextToken="made up")
refused("page size", "ValidationException", INVALID, sm.list_secrets, MaxResults=101)

# Batches.
batch = sm.batch_get_secret_value if hasattr(sm, "batch_get_secret_value") else None
if batch:
    got = batch(SecretIdList=["edge/one", "nowhere"])
    check("batch", [v["Name"] for v in got["SecretValues"]], ["edge/one"])
    check("batch errors", [(e["SecretId"], e["ErrorCode"]) for e in got["Errors"]], [("nowhere", "ResourceNotFoundException")])

# Passwords.
word = lambda **args: sm.get_random_password(**args)["RandomPassword"]
check("default length", len(word()), 32)
check("lengths", [len(word(PasswordLength=n, RequireEachIncludedType=False)) for n in (1, 4096)], [1, 4096])
check("digits", word(ExcludeLowercase=True, ExcludeUppercase=True, ExcludePunctuation=True).isdigit(), True)
check("a space", " " in word(IncludeSpace=True, PasswordLength=20), True)
four = word(PasswordLength=4)
check("each kind", [any(f(c) for c in four) for f in (str.islower, str.isupper, str.isdigit)], [True] * 3)
refused("too short", "InvalidParameterException", "too short", sm.get_random_password, PasswordLength=3)
refused("nothing left", "InvalidParameterException", "excluded", sm.get_random_password, ExcludeLowercase=True, ExcludeUppercase=True, ExcludePunctuation=True, ExcludeNumbers=True)
for n in (0, 4097):
    refused(f"length {n}", "ValidationException", f"Value '{n}' at 'passwordLength'", sm.get_random_password, PasswordLength=n)

# Policies.
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}
refused("malformed", "MalformedPolicyDocumentException", "", sm.put_resource_policy, SecretId="edge/one", ResourcePolicy="{")
refused("public", "PublicPolicyException", "", sm.put_resource_policy, SecretId="edge/one", ResourcePolicy=json.dumps(policy), BlockPublicPolicy=True)
check("policy", keys(sm.put_resource_policy(SecretId="edge/one", ResourcePolicy=json.dumps(policy))), ["ARN", "Name"])
check("policy back", json.loads(sm.get_resource_policy(SecretId="edge/one")["ResourcePolicy"]), policy)
verdict = sm.validate_resource_policy(SecretId="edge/one", ResourcePolicy=json.dumps(policy))
check("verdict", (verdict["PolicyValidationPassed"], [sorted(e) for e in verdict["ValidationErrors"]]), (False, [["CheckName", "ErrorMessage"]]))
sm.delete_resource_policy(SecretId="edge/one")
check("no policy", keys(sm.get_resource_policy(SecretId="edge/one")), ["ARN", "Name"])

# Tags.
sm.tag_resource(SecretId="edge/one", Tags=[{"Key": "a", "Value": "9"}, {"Key": "c", "Value": ""}])
check("tags", sm.describe_secret(SecretId="edge/one")["Tags"], [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "9"}, {"Key": "c", "Value": ""}])
refused("reserved tag", "InvalidParameterException", "", sm.tag_resource, SecretId="edge/one", Tags=[{"Key": "aws:x", "Value": ""}])
sm.untag_resource(SecretId="edge/one", TagKeys=["a", "b", "c", "absent"])
check("no tags", sm.describe_secret(SecretId="edge/one")["Tags"], [])

# Replicas.
copies = sm.replicate_secret_to_regions(SecretId="edge/one", AddReplicaRegions=[{"Region": "eu-west-1"}])
check("replica", copies["ReplicationStatus"][0]["Region"], "eu-west-1")
until("in sync", lambda: sm.describe_secret(SecretId="edge/one")["ReplicationStatus"][0]["Status"] == "InSync")
check("primary", sm.describe_secret(SecretId="edge/one")["PrimaryRegion"], "us-east-1")
refused("at home", "InvalidParameterException", "Invalid replica region.", sm.replicate_secret_to_regions, SecretId="edge/one", AddReplicaRegions=[{"Region": "us-east-1"}])
refused("replicated", "InvalidParameterException", "that still has replica regions [eu-west-1].", sm.delete_secret, SecretId="edge/one")
check("replicas gone", sm.remove_regions_from_replication(SecretId="edge/one", RemoveReplicaRegions=["eu-west-1"])["ReplicationStatus"], [])

# Deletion.
for days in (0, 6, 31):
    refused(f"{days} days", "InvalidParameterException", "RecoveryWindowInDays value must be between 7 and 30 days (inclusive)", sm.delete_secret, SecretId="edge/one", RecoveryWindowInDays=days)
refused("force and window", "InvalidParameterException", "", sm.delete_secret, SecretId="edge/one", RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True)
gone = sm.delete_secret(SecretId="edge/one", RecoveryWindowInDays=7)
check("deleted", keys(gone), ["ARN", "DeletionDate", "Name"])
check("7 days", round((gone["DeletionDate"] - datetime.now(timezone.utc)) / timedelta(days=1)), 7)
for call, args in (
    (sm.get_secret_value, {}), (sm.put_secret_value, {"SecretString": "x"}), (sm.update_secret, {"Description": "x"}),
    (sm.delete_secret, {}), (sm.tag_resource, {"Tags": []}), (sm.untag_resource, {"TagKeys": ["a"]}),
    (sm.rotate_secret, {}), (sm.cancel_rotate_secret, {}), (sm.get_resource_policy, {}), (sm.delete_resource_policy, {}),
    (sm.put_resource_policy, {"ResourcePolicy": json.dumps(policy)}),
    (sm.update_secret_version_stage, {"VersionStage": "X", "MoveToVersionId": made["VersionId"]}),
):
    refused("marked: " + call.__name__, "InvalidRequestException", MARKED, call, SecretId="edge/one", **args)
refused("name of what is marked", "InvalidRequestException", "already scheduled for deletion", sm.create_secret, Name="edge/one", SecretString="v")
check("marked is described", "DeletedDate" in sm.describe_secret(SecretId="edge/one"), True)
check("marked is not listed", "edge/one" in names(), False)
check("restored", keys(sm.restore_secret(SecretId="edge/one")), ["ARN", "Name"])
check("not deleted", "DeletedDate" in sm.describe_secret(SecretId="edge/one"), False)
check("force what is not there", sm.delete_secret(SecretId="absent", ForceDeleteWithoutRecovery=True)["Name"], "absent")

# Rotation by a real function.
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as archive:
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    with open(os.environ["BOOTSTRAP"], "rb") as program:
        archive.writestr(entry, program.read(), zipfile.ZIP_STORED)


def function(name, **variables):
    return fn.create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role="arn:aws:iam::123456789012:role/r",
        Code={"ZipFile": code.getvalue()}, Timeout=10, Environment={"Variables": variables},
    )["FunctionArn"]


good, bad = function("good"), function("bad", FAIL="testSecret")
sm.create_secret(Name="turn", SecretString="old")
refused("no function", "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.", sm.rotate_secret, SecretId="turn")
CANNOT = "Secrets Manager cannot invoke the specified Lambda function."
refused("no such function", "AccessDeniedException", CANNOT, sm.rotate_secret, SecretId="turn", RotationLambdaARN=good + "x")
fn.add_permission(FunctionName="good", StatementId="other", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com")
refused("no permission", "AccessDeniedException", CANNOT, sm.rotate_secret, SecretId="turn", RotationLambdaARN=good)
for name in ("good", "bad"):
    fn.add_permission(FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com", SourceAccount="123456789012")
check("nothing configured", "RotationEnabled" in sm.describe_secret(SecretId="turn"), False)
for what, rules in {
    "3 hours": {"ScheduleExpression": "rate(3 hours)"}, "minutes": {"ScheduleExpression": "cron(5 8 * * ? *)"},
    "1001 days": {"AutomaticallyAfterDays": 1001}, "both": {"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"},
    "year": {"ScheduleExpression": "cron(0 8 * * ? 2030)"}, "window": {"ScheduleExpression": "rate(4 hours)", "Duration": "5h"},
}.items():
    refused("rules: " + what, "InvalidParameterException", "", sm.rotate_secret, SecretId="turn", RotationLambdaARN=good, RotationRules=rules)
before = next(iter(stages("turn")))


def saw(version, step):
    return json.loads(sm.get_secret_value(SecretId=f"seen/{version}/{step}")["SecretString"])


tested = sm.rotate_secret(SecretId="turn", RotationLambdaARN=good, RotationRules={"ScheduleExpression": "rate(10 days)", "Duration": "3h"}, RotateImmediately=False)["VersionId"]
until("tested", lambda: tested not in stages("turn"))
check("tested alone", [n.split("/")[2] for n in names() if n.startswith("seen/")], ["testSecret"])
check("on the current value", saw(tested, "testSecret")["pending"], "old")
token = str(uuid.uuid4())
answer = sm.rotate_secret(SecretId="turn", ClientRequestToken=token)
check("rotate", keys(answer), ["ARN", "Name", "VersionId"])
check("token is the version", answer["VersionId"], token)
until("rotated", lambda: stages("turn") == {before: ["AWSPREVIOUS"], token: ["AWSCURRENT"]})
steps = ["createSecret", "setSecret", "testSecret", "finishSecret"]
check("steps", [n.split("/")[2] for n in names() if n.startswith("seen/" + token)], steps)
first = saw(token, "createSecret")
check("event", (first["event"]["Step"], first["event"]["SecretId"], first["event"]["ClientRequestToken"]), ("createSecret", answer["ARN"], token))
check("RotationToken", len({saw(token, s)["event"]["RotationToken"] for s in steps}), 1)
check("registered first", (first["pending"], first["stages"]), ("none", {before: ["AWSCURRENT"], token: ["AWSPENDING"]}))
described = sm.describe_secret(SecretId="turn")
check("rules", described["RotationRules"], {"AutomaticallyAfterDays": 10, "Duration": "3h", "ScheduleExpression": "rate(10 days)"})
check("date", described["LastRotatedDate"] <= datetime.now(timezone.utc), True)
check("again", sm.rotate_secret(SecretId="turn", ClientRequestToken=token)["VersionId"], token)
check("did nothing", stages("turn"), {before: ["AWSPREVIOUS"], token: ["AWSCURRENT"]})
failed = sm.rotate_secret(SecretId="turn", RotationLambdaARN=bad)["VersionId"]
until("the third step", lambda: f"seen/{failed}/testSecret" in names())
refused("while pending", "InvalidRequestException", "A previous rotation isn't complete.", sm.rotate_secret, SecretId="turn")
check("nothing moved", stages("turn")[token], ["AWSCURRENT"])
check("no fourth step", f"seen/{failed}/finishSecret" in names(), False)
check("cancel", keys(sm.cancel_rotate_secret(SecretId="turn")), ["ARN", "Name", "VersionId"])
off = sm.describe_secret(SecretId="turn")
check("disabled", (off["RotationEnabled"], off["RotationLambdaARN"]), (False, bad))
check("AWSPENDING stays", stages("turn")[failed], ["AWSPENDING"])
sm.update_secret_version_stage(SecretId="turn", VersionStage="AWSPENDING", RemoveFromVersionId=failed)

# The clock, and what CloudTrail and the control API tell.
token = sm.rotate_secret(SecretId="turn", RotationLambdaARN=good)["VersionId"]
until("rotated again", lambda: stages("turn").get(token) == ["AWSCURRENT"])
control("POST", "clock", {"advance": "264h"})
until("rotated by schedule", lambda: stages("turn").get(token) == ["AWSPREVIOUS"])
found = trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "RotationSucceeded"}])["Events"]
check("trail", len(found) >= 2 and found[0]["EventTime"] >= found[-1]["EventTime"], True)
check("record", json.loads(found[0]["CloudTrailEvent"])["additionalEventData"]["SecretId"], answer["ARN"])
calls = control("GET", "calls?operation=RotateSecret")["calls"]
check("calls", calls[-1]["target"], "turn")
fault = control("POST", "faults", {"service": "secretsmanager", "operation": "GetSecretValue", "effect": "throttle", "nth": 1})
refused("fault", "ThrottlingException", "Rate exceeded", sm.get_secret_value, SecretId="turn")
check("once", sm.get_secret_value(SecretId="turn")["Name"], "turn")
control("DELETE", "faults")
check("events", control("GET", "events")["events"][-1]["source"], "aws.secretsmanager")

if wrong:
    raise SystemExit(f"{len(wrong)} did not hold: {wrong}")
