// Package detect measures how many CloudTrail records a second are read and
// judged, and what is remembered of whom. The records are made up: consumers that
// read their keys, some denials, lists and changes.
package detect

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/trail"
)

// What is measured: Principals read Keys, a few each, in files of PerFile records.
const (
	Principals = 1000
	Keys       = 1000
	Files      = 60
	PerFile    = 1000
)

// Result is what one run came to.
type Result struct {
	PerSecond float64 // records read and judged, on one core
	ReadOnly  float64 // the same without judging
	PerTrack  float64 // bytes stored, with its name
	Tracks    int
	Findings  int
}

// Measure runs all rules that are on by default, or all there are: three times,
// of which the fastest counts, for others may use the machine.
func Measure(ctx context.Context, all bool) (Result, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	files := records()
	var best Result
	for range 3 {
		r, err := measure(ctx, all, files)
		if err != nil {
			return r, err
		}
		if r.PerSecond > best.PerSecond {
			best = r
		}
	}
	return best, nil
}

func measure(ctx context.Context, all bool, files [][]byte) (Result, error) {
	site := site(all)
	state := &detect.Memory{}
	engine := detect.New(site, detect.All(site), state)
	var r Result
	count := func(_ context.Context, f []detect.Finding) error {
		r.Findings += len(f)
		return nil
	}
	var reading time.Duration
	began := time.Now()
	for _, file := range files {
		at := time.Now()
		f, err := trail.ReadFile(bytes.NewReader(file))
		if err != nil || len(f.Events) != PerFile {
			return r, fmt.Errorf("read %d of %d records: %w", len(f.Events), PerFile, err)
		}
		reading += time.Since(at)
		if err := engine.Process(ctx, f.Events[PerFile-1].Time, f.Events, count); err != nil {
			return r, err
		}
	}
	took := time.Since(began)
	var stored int
	r.Tracks, stored = state.Size()
	n := float64(len(files) * PerFile)
	r.PerSecond, r.ReadOnly = n/took.Seconds(), n/reading.Seconds()
	r.PerTrack = float64(stored) / float64(max(r.Tracks, 1))
	return r, nil
}

func site(all bool) *detect.Site {
	s := &detect.Site{Account: "123456789012", Region: "eu-west-1", Installed: start.Add(-30 * 24 * time.Hour), Rules: map[string]bool{}}
	for i := range Keys {
		s.Secrets = append(s.Secrets, detect.Secret{Name: keyName(i), Tier: 1 + i%4})
	}
	if all {
		for _, r := range detect.All(s) {
			s.Rules[r.ID] = true
		}
	}
	return s.Prepare(nil)
}

var start = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func keyName(i int) string { return fmt.Sprintf("prod/service-%d/vendor-key", i) }

// records makes files as CloudTrail writes them; a file is 5 minutes.
func records() [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	files := make([][]byte, Files)
	for f := range files {
		var b bytes.Buffer
		b.WriteString(`{"Records":[`)
		for i := range PerFile {
			if i > 0 {
				b.WriteByte(',')
			}
			at := start.Add(time.Duration(f)*5*time.Minute + time.Duration(i)*300*time.Millisecond)
			who := r.IntN(Principals)
			name, code := "GetSecretValue", "null"
			switch n := r.IntN(100); {
			case n < 2:
				code = `"AccessDenied"`
			case n < 4:
				name = "DescribeSecret"
			case n < 5:
				name = "ListSecrets"
			}
			fmt.Fprintf(&b, record, who, who, who, who, at.Format(time.RFC3339), name, who%250, code, keyName((who+r.IntN(3))%Keys), uuid(r))
		}
		b.WriteString(`]}`)
		files[f] = b.Bytes()
	}
	return files
}

func uuid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48, b&(1<<48-1))
}

// record is one as its service writes it.
const record = `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLEID%04d:app","arn":"arn:aws:sts::123456789012:assumed-role/service-%d/app","accountId":"123456789012","accessKeyId":"ASIAEXAMPLE%04d","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLEID","arn":"arn:aws:iam::123456789012:role/service-%d","accountId":"123456789012","userName":"service"},"attributes":{"creationDate":"2026-11-02T09:12:41Z","mfaAuthenticated":"false"}}},"eventTime":"%s","eventSource":"secretsmanager.amazonaws.com","eventName":"%s","awsRegion":"eu-west-1","sourceIPAddress":"10.20.30.%d","userAgent":"aws-sdk-go-v2/1.48.0 ua/2.1 os/linux lang/go#1.26 md/GOOS#linux md/GOARCH#arm64 api/secretsmanager#1.50.11","errorCode":%s,"requestParameters":{"secretId":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:%s-AbCdEf"},"responseElements":null,"requestID":"c4fff253-825a-4828-adac-7f789f6975f3","eventID":"%s","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"secretsmanager.eu-west-1.amazonaws.com"}}`
