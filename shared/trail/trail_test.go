package trail

import (
	"fmt"
	"testing"
)

const record = `{"eventVersion":"1.11","eventID":"e1","eventTime":"2026-04-01T10:00:00Z","sourceIPAddress":%q,"new":1}`

func TestAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"81.2.69.142, 192.168.10.10":   "[81.2.69.142 192.168.10.10]",
		"::ffff:10.1.2.3":              "[10.1.2.3]",
		"secretsmanager.amazonaws.com": "[]",
		"AWS Internal/3":               "[]",
		"225.01.00.16":                 "[]",
	} {
		e, err := Parse(fmt.Appendf(nil, record, in))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(e.Addresses()); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf(record, "10.0.0.1")
	envelope := func(source, detail string) string {
		return `{"detail-type":"AWS API Call via CloudTrail","source":"` + source + `","account":"1","detail":` + detail + `}`
	}
	for in, ok := range map[string]bool{
		good:                                 true,
		envelope("aws.secretsmanager", good): true,
		envelope("mine", good):               false,
		envelope("", good):                   false,
		envelope("aws.x", envelope("aws.x", good)):                                false,
		`{"detail-type":"AWS API Call via CloudTrail","source":"aws.x"}`:          false,
		`{"eventVersion":"2.0","eventID":"e","eventTime":"2026-04-01T10:00:00Z"}`: false,
		`{"eventVersion":"1.0","eventID":"e"}`:                                    false,
		`{"eventVersion":"1.0","eventTime":"2026-04-01T10:00:00Z"}`:               false,
		`{"eventVersion":"1.0","eventID":"e","eventTime":"2026-04-01 10:00:00"}`:  false,
		`{"event":` + good + `}`:                                                  false,
		`{}`:                                                                      false, `[]`: false, ``: false, good[:40]: false, good + good: false,
	} {
		if _, err := Parse([]byte(in)); (err == nil) != ok {
			t.Errorf("%s: error %v, want ok %t", in, err, ok)
		}
	}
	e, err := Parse([]byte(envelope("aws.secretsmanager", `{"eventVersion":"1.08","eventID":"e","eventTime":"2026-04-01T10:00:00Z","sessionCredentialFromConsole":"true","readOnly":true,"requestParameters":null,"responseElements":{"a":1},"addendum":{"reason":"UPDATED_DATA","originalEventID":"o"},"userIdentity":null,"eventID":"twice"}`)))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		A int `json:"a"`
	}
	if err := e.ResponseFields(&answer); err != nil || answer.A != 1 || e.Request != nil || !e.Console || !e.ReadOnly || e.Addendum.EventID != "o" || e.Envelope.Account != "1" || e.ID != "twice" {
		t.Errorf("got %+v, %v", e, err)
	}
	if err := e.ResponseFields(&[]int{}); err == nil {
		t.Error("an object was read as an array")
	}
}

func parsed(t *testing.T, fields string) Event {
	t.Helper()
	e, err := Parse([]byte(`{"eventVersion":"1.08","eventID":"e","eventTime":"2026-04-01T10:00:00Z",` + fields + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		identity, principal, session string
		mfa                          MFA
	}{
		"role":            {`{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/r/s","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/p/r"},"attributes":{"mfaAuthenticated":"false"}}}`, "arn:aws:iam::1:role/p/r", "s", MFANotUsed},
		"role with MFA":   {`{"type":"AssumedRole","principalId":"AROA:s","sessionContext":{"sessionIssuer":{"arn":"r"},"attributes":{"mfaAuthenticated":true}}}`, "r", "s", MFAUsed},
		"identity center": {`{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/AWSReservedSSO_A_1/me","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_A_1","userName":"AWSReservedSSO_A_1"},"attributes":{"mfaAuthenticated":"false"}}}`, "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_A_1", "me", MFAUnknown},
		"center's user":   {`{"type":"IdentityCenterUser","accountId":"1","onBehalfOf":{"userId":"u"}}`, "identitycenter:u", "", MFAUnknown},
		"web identity":    {`{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"arn":"r"},"webIdFederationData":{"federatedProvider":"p"},"attributes":{"mfaAuthenticated":"false"}}}`, "r", "", MFAUnknown},
		"user":            {`{"type":"IAMUser","arn":"arn:aws:iam::1:user/u","accessKeyId":"AKIA1"}`, "arn:aws:iam::1:user/u", "", MFANotUsed},
		"user's session":  {`{"type":"IAMUser","arn":"arn:aws:iam::1:user/u","accessKeyId":"ASIA1","sessionContext":{"sessionIssuer":{},"attributes":{"mfaAuthenticated":"true"}}}`, "arn:aws:iam::1:user/u", "", MFAUsed},
		"federated":       {`{"type":"FederatedUser","arn":"arn:aws:sts::1:federated-user/bob","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:user/u"}}}`, "arn:aws:iam::1:user/u#bob", "bob", MFAUnknown},
		"root":            {`{"type":"Root","accountId":"1","arn":"arn:aws:iam::1:root"}`, "root:1", "", MFAUnknown},
		"other account":   {`{"type":"AWSAccount","accountId":"2","principalId":"AROA:x"}`, "2:AROA", "x", MFAUnknown},
		"service event":   {`{"accountId":"1","invokedBy":"secretsmanager.amazonaws.com"}`, "secretsmanager.amazonaws.com", "", MFAUnknown},
		"nothing":         {`{}`, "unknown", "", MFAUnknown},
	} {
		e := parsed(t, `"userIdentity":`+c.identity)
		if p, s, m := e.Identity.Principal(), e.Identity.SessionName(), e.MFA(); p != c.principal || s != c.session || m != c.mfa {
			t.Errorf("%s: got %s, %s, %d", name, p, s, m)
		}
	}
	signIn := parsed(t, `"eventType":"AwsConsoleSignIn","userIdentity":{"type":"Root"},"additionalEventData":{"MFAUsed":"No"}`)
	if signIn.MFA() != MFANotUsed {
		t.Errorf("sign-in: got %d", signIn.MFA())
	}
	stolen := parsed(t, `"recipientAccountId":"2","userIdentity":{"accountId":"1","sessionContext":{"ec2RoleDelivery":"2.0"},"inScopeOf":{"issuerType":"AWS::Lambda::Function"}}`)
	if !stolen.CrossAccount() || !stolen.Identity.Workload() || stolen.Identity.InScopeOf.IssuerType == "" {
		t.Errorf("got %+v", stolen.Identity)
	}
}

func TestAddressClass(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]AddressClass{
		`"sourceIPAddress":"8.8.8.8"`:                           AddressPublic,
		`"sourceIPAddress":"192.168.10.10, 81.2.69.142"`:        AddressPublic,
		`"sourceIPAddress":"2a02:cf40::1"`:                      AddressPublic,
		`"sourceIPAddress":"::ffff:10.1.2.3"`:                   AddressPrivate,
		`"sourceIPAddress":"100.64.3.4"`:                        AddressPrivate,
		`"sourceIPAddress":"fd00::1"`:                           AddressPrivate,
		`"sourceIPAddress":"10.0.0.1","vpcEndpointId":"vpce-1"`: AddressEndpoint,
		`"sourceIPAddress":"10.0.0.1","vpcEndpointId":"vpce-1","userIdentity":{"invokedBy":"x.amazonaws.com"}`: AddressService,
		`"sourceIPAddress":"AWS Internal/3"`:                                             AddressService,
		`"sourceIPAddress":"lambda.amazonaws.com"`:                                       AddressService,
		`"sourceIPAddress":"secretsmanager.amazonaws.com","eventType":"AwsServiceEvent"`: AddressService,
		`"sourceIPAddress":"225.01.00.16"`:                                               AddressUnknown,
		`"sourceIPAddress":""`:                                                           AddressUnknown,
	} {
		if got := parsed(t, fields).AddressClass(); got != want {
			t.Errorf("%s: got %d, want %d", fields, got, want)
		}
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]Outcome{
		`"eventName":"GetSecretValue"`: Succeeded, `"errorCode":"AccessDenied"`: Denied, `"errorCode":"AccessDeniedException"`: Denied,
		`"errorCode":"Client.UnauthorizedOperation"`: Denied, `"errorCode":"VpceAccessDenied"`: Denied,
		`"errorCode":"ResourceNotFoundException"`: NotFound, `"errorCode":"ThrottlingException"`: Throttled,
		`"errorCode":"Client.RequestLimitExceeded"`: Throttled, `"errorCode":"DecryptionFailure"`: Failed,
		`"eventName":"RotationFailed","errorMessage":"x"`: Failed, `"eventName":"TestRotationFailed"`: Failed, `"eventName":"RotationAbandoned"`: Failed,
	} {
		if got := parsed(t, fields).Outcome(); got != want {
			t.Errorf("%s: got %d, want %d", fields, got, want)
		}
	}
	e := parsed(t, `"errorCode":"AccessDenied","errorMessage":"User: u is not authorized to perform: secretsmanager:GetSecretValue on resource: arn with an explicit deny in a service control policy"`)
	if r, ok := e.Refusal(); !ok || r != (Refusal{"secretsmanager:GetSecretValue", "arn", "service control", true}) {
		t.Errorf("got %+v, %t", r, ok)
	}
	if _, ok := parsed(t, `"errorCode":"AccessDenied","errorMessage":"Access Denied"`).Refusal(); ok {
		t.Error("a bare message gave a refusal")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(fmt.Appendf(nil, record, "10.0.0.1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := Parse(data); err == nil {
			use(t, e)
		}
	})
}
