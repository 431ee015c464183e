package trail

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func BenchmarkReadFile(b *testing.B) {
	one := `{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:app","arn":"arn:aws:sts::123456789012:assumed-role/app/app","accountId":"123456789012","accessKeyId":"ASIAEXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::123456789012:role/app","accountId":"123456789012","userName":"app"},"attributes":{"creationDate":"2026-04-01T09:00:00Z","mfaAuthenticated":"false"}}},"eventTime":"2026-04-01T10:00:00Z","eventSource":"secretsmanager.amazonaws.com","eventName":"GetSecretValue","awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-sdk-go-v2/1.30 os/linux lang/go#1.26","requestParameters":{"secretId":"` + arn + `"},"responseElements":null,"requestID":"0d6ee8c6-1111-2222-3333-444444444444","eventID":"c0ffee00-1111-2222-3333-444444444444","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"secretsmanager.eu-west-1.amazonaws.com"}}`
	data := []byte(fmt.Sprintf(`{"Records":[%s]}`, strings.TrimSuffix(strings.Repeat(one+",", 1000), ",")))
	b.ReportAllocs()
	for b.Loop() {
		f, err := ReadFile(bytes.NewReader(data))
		if err != nil || len(f.Events) != 1000 {
			b.Fatal(len(f.Events), err)
		}
		for _, e := range f.Events {
			e.Secrets()
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
