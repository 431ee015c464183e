package metric_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/metric"
	"github.com/keyturn/keyturn/shared/provider"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		labels []metric.Labels
		want   map[string]any
	}{
		{"everything", []metric.Labels{{Vendor: "acme", Secret: "prod/x"}, {Step: "createSecret", Outcome: "minted"}}, map[string]any{
			"vendor": "acme", "step": "createSecret", "outcome": "minted", "secret": "prod/x",
			"duration_ms": 1234.5, "aws_calls": 4.0, "vendor_calls": 2.0, "count": 1.0, "request_id": "r1", "service": "rotate",
		}},
		{"nothing known", nil, map[string]any{"vendor": "none", "step": "none", "outcome": "none", "count": 1.0}},
		{"odd values", []metric.Labels{{Vendor: "caf\u00e9\n", Step: strings.Repeat("x", 2000)}}, map[string]any{"vendor": "caf???"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, m := metric.With(t.Context())
			for _, l := range tt.labels {
				metric.From(ctx).Label(l)
			}
			hc := &http.Client{Transport: metric.Transport(vendor{})}
			for range 2 {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://vendor.example", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				res, err := hc.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				if err := res.Body.Close(); err != nil {
					t.Fatal(err)
				}
			}
			var w writes
			at := time.Date(2026, 11, 23, 4, 5, 6, 7e6, time.UTC)
			if err := m.Write(&w, metric.Invocation{Time: at, Duration: 1234500 * time.Microsecond, AWSCalls: 4, Function: "rotate", RequestID: "r1"}); err != nil {
				t.Fatal(err)
			}
			if w.n != 1 || bytes.Count(w.Bytes(), []byte("\n")) != 1 || !bytes.HasSuffix(w.Bytes(), []byte("\n")) {
				t.Errorf("%d writes of %q, want one line", w.n, w.String())
			}
			root := valid(t, w.Bytes())
			for name, v := range tt.want {
				if root[name] != v {
					t.Errorf("%s = %v, want %v", name, root[name], v)
				}
			}
		})
	}
}

type writes struct {
	bytes.Buffer
	n int
}

func (w *writes) Write(b []byte) (int, error) { w.n++; return w.Buffer.Write(b) }

type vendor struct{}

func (vendor) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// valid checks a line against the rules of the specification that metric.go
// links to, and our own about dimensions.
func valid(t *testing.T, line []byte) map[string]any {
	t.Helper()
	var doc struct {
		AWS *struct {
			Timestamp         *int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct {
					Name, Unit        string
					StorageResolution int
				}
			}
		} `json:"_aws"`
	}
	strict := json.NewDecoder(bytes.NewReader(metadata(t, line)))
	strict.DisallowUnknownFields() // defined objects hold no other members
	if err := strict.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(line, &root); err != nil {
		t.Fatal(err)
	}
	if len(line) > 256<<10 || doc.AWS == nil || doc.AWS.Timestamp == nil || len(doc.AWS.CloudWatchMetrics) != 2 {
		t.Fatalf("not an embedded metric document: %s", line)
	}
	if ms := *doc.AWS.Timestamp; ms != 1795406706007 {
		t.Errorf("Timestamp %d is not the time in milliseconds", ms)
	}
	units := []string{"Milliseconds", "Count"}
	for i, dimensions := range [][]string{{"vendor", "step", "outcome"}, {"installation"}} {
		d := doc.AWS.CloudWatchMetrics[i]
		if d.Namespace != "Keyturn" || len(d.Metrics) == 0 || len(d.Metrics) > 100 {
			t.Errorf("namespace %q with %d metrics", d.Namespace, len(d.Metrics))
		}
		if len(d.Dimensions) != 1 || !slices.Equal(d.Dimensions[0], dimensions) {
			t.Errorf("dimensions %v: every other one costs a metric per value", d.Dimensions)
		}
		for _, m := range d.Metrics {
			if _, number := root[m.Name].(float64); !number || m.Name == "" || len(m.Name) > 1024 || !slices.Contains(units, m.Unit) {
				t.Errorf("metric %q in %q: its target is %v, not a number", m.Name, m.Unit, root[m.Name])
			}
		}
		for _, name := range d.Dimensions[0] {
			v, ok := root[name].(string)
			if !ok || v == "" || len(v) > 1024 || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("dimension %q: its target is %v, not a printable string", name, root[name])
			}
		}
	}
	return root
}

// metadata returns the line with nothing but its metadata object.
func metadata(t *testing.T, line []byte) []byte {
	t.Helper()
	var root map[string]json.RawMessage
	if err := json.Unmarshal(line, &root); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	b, err := json.Marshal(map[string]json.RawMessage{"_aws": root["_aws"]})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFrom_noMeter(t *testing.T) {
	t.Parallel()
	metric.From(t.Context()).Label(metric.Labels{Vendor: "acme"})
	if l := metric.From(t.Context()).Labels(); l != (metric.Labels{}) {
		t.Errorf("labels %+v came from nowhere", l)
	}
}

// A connection to a vendor that does not speak HTTP counts as a request.
func TestDialer(t *testing.T) {
	t.Parallel()
	ctx, m := metric.With(t.Context())
	gone := errors.New("gone")
	dial := metric.Dialer(func(_ context.Context, network, address string) (provider.Conn, error) {
		if network != "tls" || address != "redis.test:6379" {
			t.Errorf("dialed %s %s", network, address)
		}
		return nil, gone
	})
	for range 3 {
		if _, err := dial(ctx, "tls", "redis.test:6379"); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
	}
	var out bytes.Buffer
	if err := m.Write(&out, metric.Invocation{Time: time.Unix(1, 0)}); err != nil || !strings.Contains(out.String(), `"vendor_calls":3`) {
		t.Errorf("got %v and %s", err, out.String())
	}
}

// What alarms use has the installation alone for a dimension. A sweep that ran
// out of time tells no counts: they would be too low.
func TestWrite_alarming(t *testing.T) {
	t.Parallel()
	const absent = -1.0
	for name, tt := range map[string]struct {
		failed bool
		sweep  *metric.Sweep
		want   map[string]float64
	}{
		"no failure":   {false, nil, map[string]float64{"failures": 0, "swept": absent, "overdue": absent, "held": absent}},
		"a failure":    {true, nil, map[string]float64{"failures": 1, "swept": absent}},
		"a sweep":      {false, &metric.Sweep{Done: true, Secrets: 9, Late: 2, Held: 3}, map[string]float64{"failures": 0, "swept": 1, "secrets": 9, "overdue": 2, "held": 3}},
		"nothing late": {false, &metric.Sweep{Done: true, Secrets: 9}, map[string]float64{"swept": 1, "overdue": 0, "held": 0}},
		"no end":       {true, &metric.Sweep{Secrets: 9, Late: 2}, map[string]float64{"failures": 1, "swept": 0, "overdue": absent, "held": absent}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, m := metric.With(t.Context())
			if tt.sweep != nil {
				m.Swept(*tt.sweep)
			}
			var out bytes.Buffer
			if err := m.Write(&out, metric.Invocation{Time: time.UnixMilli(1795406706007), Installation: "shop", Failed: tt.failed}); err != nil {
				t.Fatal(err)
			}
			root := valid(t, out.Bytes())
			for metricName, want := range tt.want {
				got, ok := root[metricName].(float64)
				if !ok {
					got = absent
				}
				if defined := strings.Contains(string(metadata(t, out.Bytes())), `"`+metricName+`"`); got != want || defined != (want != absent) && metricName != "secrets" {
					t.Errorf("%s = %v, defined %v; want %v", metricName, got, defined, want)
				}
			}
			if root["installation"] != "shop" {
				t.Errorf("installation %v", root["installation"])
			}
		})
	}
}

// TestWrite_reconciled wants the comparison's own metric, whether it ended or not.
func TestWrite_reconciled(t *testing.T) {
	t.Parallel()
	for ended, want := range map[bool]float64{true: 1, false: 0} {
		_, m := metric.With(t.Context())
		m.Reconciled(ended)
		var out bytes.Buffer
		if err := m.Write(&out, metric.Invocation{Time: time.UnixMilli(1795406706007), Installation: "shop"}); err != nil {
			t.Fatal(err)
		}
		if got := valid(t, out.Bytes())["reconciled"]; got != want || !strings.Contains(string(metadata(t, out.Bytes())), `"reconciled"`) {
			t.Errorf("ended %v: %v", ended, got)
		}
	}
}
