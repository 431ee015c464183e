package cloud

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/s3"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// lambdaAction names a call of Lambda by the date of its API, as CloudTrail does.
// Environments and code are never in a record.
func lambdaAction(call *wire.Call, a action) action {
	a.name += map[string]string{
		"CreateFunction": "20150331", "DeleteFunction": "20150331", "ListFunctions": "20150331",
		"GetFunction": "20150331v2", "GetFunctionConfiguration": "20150331v2", "UpdateFunctionCode": "20150331v2", "UpdateFunctionConfiguration": "20150331v2",
		"AddPermission": "20150331v2", "RemovePermission": "20150331v2", "GetPolicy": "20150331v2",
		"GetAccountSettings": "20160819", "GetFunctionConcurrency": "20190930",
	}[call.Operation]
	parts := strings.Split(strings.Trim(call.HTTP.URL.EscapedPath(), "/"), "/")
	if len(parts) > 2 && parts[1] == "functions" {
		name, err := url.PathUnescape(parts[2])
		if err != nil {
			name = parts[2]
		}
		a.parameters = with(a.parameters, "functionName", name)
		if call.Operation == "RemovePermission" && len(parts) > 4 {
			a.parameters["statementId"] = parts[4]
		}
	}
	if q := call.HTTP.URL.Query().Get("Qualifier"); q != "" {
		a.parameters = with(a.parameters, "qualifier", q)
	}
	for _, m := range []map[string]any{a.parameters, a.response} {
		if _, ok := m["environment"]; ok {
			m["environment"] = map[string]any{}
		}
	}
	if call.Operation == "UpdateFunctionCode" {
		name, _ := a.parameters["functionName"].(string)
		a.parameters["fullyQualifiedArn"] = map[string]any{
			"arnPrefix":  map[string]any{"partition": "aws", "region": wire.Region, "account": wire.Account},
			"relativeId": map[string]any{"functionName": name[strings.LastIndexByte(name, ':')+1:]}, "functionQualifier": map[string]any{},
		}
		for _, flag := range []string{"publish", "dryRun"} {
			if a.parameters[flag] == nil {
				a.parameters[flag] = false
			}
		}
	}
	return a
}

// dynamoAction is of a table.
func dynamoAction(a action) action {
	a.version = "2012-08-10"
	if name, _ := a.parameters["tableName"].(string); name != "" {
		table := name[strings.LastIndexByte(name, '/')+1:]
		a.resources = resource("AWS::DynamoDB::Table", "arn:aws:dynamodb:"+wire.Region+":"+wire.Account+":table/"+table)
	}
	return a
}

// kmsAction shows a call of KMS, whose answer is in the record of CreateKey only.
func kmsAction(call *wire.Call, body []byte, a action) action {
	a.readOnly = a.readOnly || slices.Contains([]string{"Sign", "Verify", "Decrypt", "Encrypt", "GenerateDataKey"}, a.name)
	var out struct {
		KeyID       string `json:"KeyId"`
		KeyMetadata struct{ Arn string }
	}
	_ = json.Unmarshal(body, &out) // without an answer there is no key
	if a.name != "CreateKey" {
		a.response = nil
	}
	var in struct{ KeyID, TargetKeyID string }
	_ = json.Unmarshal(call.Body, &in) // as far as it is there
	for _, key := range []string{out.KeyMetadata.Arn, out.KeyID, in.KeyID, in.TargetKeyID} {
		if arn := keyARN(key); arn != "" {
			a.resources = resource("AWS::KMS::Key", arn)
			break
		}
	}
	return a
}

// keyARN is the ARN of a key that is not named by an alias, else "".
func keyARN(key string) string {
	switch {
	case key == "" || strings.Contains(key, "alias/"):
		return ""
	case strings.HasPrefix(key, "arn:"):
		return key
	}
	return "arn:aws:kms:" + wire.Region + ":" + wire.Account + ":key/" + key
}

// managedKey is Secrets Manager's own key, whose alias is alias/aws/secretsmanager.
const managedKey = "arn:aws:kms:" + wire.Region + ":" + wire.Account + ":key/0a1b2c3d-0000-4000-8000-000000000001"

// recordKey writes what Secrets Manager asked of KMS for a caller, whose call r is and
// who got answer.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
func (c *Cloud) recordKey(r Record, answer []byte) {
	var out struct {
		ARN, VersionID string
	}
	if !slices.Contains(c.opt.Recorded, "kms") || json.Unmarshal(answer, &out) != nil || out.VersionID == "" {
		return
	}
	alias, arn := "alias/aws/secretsmanager", managedKey
	if own := c.secrets.KeyOf(out.ARN); own != "" {
		alias, arn = own, own
		if a := keyARN(own); a != "" {
			arn = a
		}
	}
	context := map[string]any{"SecretARN": out.ARN, "SecretVersionId": out.VersionID}
	switch r.EventName {
	case "GetSecretValue":
		r.EventName, r.RequestParameters = "Decrypt", map[string]any{"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": context}
	case "CreateSecret", "PutSecretValue", "UpdateSecret":
		r.EventName, r.RequestParameters = "GenerateDataKey", map[string]any{"keyId": alias, "keySpec": "AES_256", "encryptionContext": context}
	default:
		return
	}
	who := map[string]any{}
	maps.Copy(who, r.UserIdentity)
	if who["sessionContext"] == nil { // a user's has one here, though not in the call itself
		who["sessionContext"] = map[string]any{
			"sessionIssuer": map[string]any{}, "webIdFederationData": map[string]any{},
			"attributes": map[string]any{"creationDate": c.clock.Now().Format("2006-01-02T15:04:05Z"), "mfaAuthenticated": "false"},
		}
	}
	who["invokedBy"] = secretsSource
	r.UserIdentity, r.EventSource, r.SourceIPAddress, r.UserAgent = who, "kms.amazonaws.com", secretsSource, secretsSource
	r.ReadOnly, r.ResponseElements, r.TLSDetails, r.RequestID = true, nil, nil, c.newUUID()
	key := resource("AWS::KMS::Key", arn)
	r.Resources = &key
	c.record(r)
}

// bucketCalls are the calls that are of a bucket and not of its objects, with the part
// of it that each is about.
func bucketCalls() map[string]string {
	return map[string]string{
		"ListBuckets": "", "CreateBucket": "", "DeleteBucket": "", "HeadBucket": "", "GetBucketLocation": "location",
		"GetBucketVersioning": "versioning", "PutBucketVersioning": "versioning", "GetBucketPolicy": "policy", "PutBucketPolicy": "policy", "DeleteBucketPolicy": "policy",
		"GetObjectLockConfiguration": "object-lock", "PutObjectLockConfiguration": "object-lock",
	}
}

// s3Action is of a bucket.
func s3Action(call *wire.Call) action {
	of := bucketCalls()[call.Operation]
	bucket := s3.Name(call.HTTP)
	host := strings.TrimPrefix(bucket+".s3."+wire.Region+".amazonaws.com", ".")
	a := action{
		name: call.Operation, readOnly: call.HTTP.Method == http.MethodGet || call.HTTP.Method == http.MethodHead,
		agent: "[" + call.HTTP.UserAgent() + "]", host: host, parameters: map[string]any{"Host": host},
		additional: map[string]any{
			"SignatureVersion": "SigV4", "CipherSuite": "TLS_AES_128_GCM_SHA256", "AuthenticationMethod": "AuthHeader",
			"bytesTransferredIn": len(call.Body), "bytesTransferredOut": 0, "x-amz-id-2": "local",
		},
	}
	if of == "object-lock" {
		a.name = a.name[:3] + "Bucket" + a.name[3:]
	}
	if of != "" {
		a.parameters[of] = ""
	}
	if bucket != "" {
		a.parameters["bucketName"] = bucket
		if a.name != "CreateBucket" {
			a.resources = resource("AWS::S3::Bucket", "arn:aws:s3:::"+bucket)
		}
	}
	var policy map[string]any
	if a.name == "PutBucketPolicy" && json.Unmarshal(call.Body, &policy) == nil {
		a.parameters["bucketPolicy"] = policy
	}
	return a
}
