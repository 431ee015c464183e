package review

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const readAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`

func small() Input {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	return Input{
		Account: account, Partition: "aws", Region: "eu-central-1", Now: now, Since: ago(120),
		Principals: []Principal{
			{ARN: roles + "web", Role: true, Identity: []Policy{{"read", readAll}}},
			{ARN: roles + "old", Role: true, Identity: []Policy{{"read", readAll}}},
			{ARN: roles + "odd", Role: true, Identity: []Policy{{"odd", `{"broken`}}},
			{ARN: roles + "keyturn", Role: true, Identity: []Policy{{"read", readAll}}},
		},
		OwnRoles: []string{roles + "keyturn"},
		Secrets: []Secret{{
			ARN: secretARN("mail"), Name: "mail", Owner: "a@example.com", RotationOn: true, Created: ago(400), LastRotated: ago(10), Schedule: "rate(30 days)",
			Current: "k1", AtVendor: &Vendor{Keys: []string{"k1"}, Limit: 5},
		}},
		Reads: []Read{
			{secretARN("mail"), roles + "web", 40, ago(1)},
			{secretARN("mail"), roles + "keyturn", 9, ago(1)},
		},
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Input, *Secret)
		want   []string
	}{
		"as it is":  {func(*Input, *Secret) {}, []string{Undecided, Removal}},
		"all used":  {func(in *Input, _ *Secret) { in.Principals = in.Principals[:1] }, nil},
		"new key":   {func(_ *Input, s *Secret) { s.Created = s.LastRotated }, []string{Undecided}},
		"no ledger": {func(in *Input, s *Secret) { in.Since = time.Time{}; s.LastRead = in.Now }, []string{Undecided}},
		"ledger too young": {func(in *Input, _ *Secret) {
			in.Since = in.Now.AddDate(0, 0, -30)
		}, []string{Undecided}},
		"only we read": {func(in *Input, _ *Secret) { in.Reads = in.Reads[1:] }, []string{Undecided, Removal, NotUsed}},
		"cron overdue": {func(_ *Input, s *Secret) {
			s.Schedule = "cron(0 4 ? * MON *)" // the Monday after is 2026-11-16
		}, []string{Undecided, Removal, Overdue}},
		"cron in its window": {func(_ *Input, s *Secret) {
			s.Schedule, s.Window = "cron(0 4 ? * MON *)", 9*24*time.Hour
		}, []string{Undecided, Removal}},
		"paused": {func(_ *Input, s *Secret) {
			s.Schedule, s.Paused = "cron(0 4 ? * MON *)", true
		}, []string{Undecided, Removal}},
		"by hand": {func(in *Input, s *Secret) {
			s.LastRotated, s.CannotRotate, s.RotationOn = in.Now.AddDate(0, 0, -40), true, false
		}, []string{Undecided, Removal, ByHand}},
		"stale":     {func(in *Input, s *Secret) { s.LastRotated, s.Schedule = in.Now.AddDate(0, 0, -91), "rate(365 days)" }, []string{Undecided, Removal, Stale}},
		"no owner":  {func(_ *Input, s *Secret) { s.Owner = "" }, []string{Undecided, Removal, NoOwner}},
		"pending":   {func(in *Input, s *Secret) { s.Pending, s.PendingSince = "v", in.Now.AddDate(0, 0, -2) }, []string{Undecided, Removal, PendingLeft}},
		"drift":     {func(_ *Input, s *Secret) { s.InLedger = "k0" }, []string{Undecided, Removal, Drift}},
		"not there": {func(_ *Input, s *Secret) { s.AtVendor.Keys = nil }, []string{Undecided, Removal, Drift}},
		"headroom":  {func(_ *Input, s *Secret) { s.AtVendor.Limit = 1 }, []string{Undecided, Removal, Headroom}},
		"stranger": {func(in *Input, s *Secret) {
			in.Reads = append(in.Reads, Read{s.ARN, "arn:aws:iam::999988887777:role/x", 1, in.Now})
		}, []string{Unauthorized, Undecided, Removal}},
		"unreadable": {func(_ *Input, s *Secret) { s.PolicyUnread = true }, []string{Undecided}},
		"outside": {func(_ *Input, s *Secret) {
			s.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:root"},"Action":"secretsmanager:*","Resource":"*"}]}`
		}, []string{Outsiders, Undecided, Removal}},
		"open": {func(in *Input, s *Secret) {
			for i := range 10 {
				in.Principals = append(in.Principals, Principal{ARN: fmt.Sprint(roles, "r", i), Role: true, Person: i == 0})
			}
			s.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
		}, []string{Outsiders, Undecided, People, OverExposed, Removal}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := small()
			c.change(&in, &in.Secrets[0])
			var got []string
			for _, f := range Make(in).Keys[0].Findings {
				got = append(got, f.Kind)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
		})
	}
}

func TestPageEscapes(t *testing.T) {
	t.Parallel()
	in := small()
	in.Secrets[0].Name, in.Secrets[0].Owner = `<script>alert(1)</script>`, `=HYPERLINK("http://x")`
	r := Make(in)
	var page, table, all, again bytes.Buffer
	for _, err := range []error{r.WritePage(&page), r.WriteCSV(&table), r.WriteJSON(&all), Make(in).WritePage(&again)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(page.String(), "<script") || !strings.Contains(page.String(), "&lt;script&gt;") || !strings.Contains(page.String(), "<svg") {
		t.Error("the page does not escape the key's name, or has no chart")
	}
	if page.String() != again.String() {
		t.Error("the same input makes another page")
	}
	rows, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(rows) != 5 || rows[1][1] != `'=HYPERLINK("http://x")` {
		t.Errorf("CSV: %v, %v", rows, err)
	}
	var back Review
	if err := json.Unmarshal(all.Bytes(), &back); err != nil || len(back.Keys) != 1 || len(back.Keys[0].Readers) != 4 {
		t.Errorf("JSON: %v, %v", back, err)
	}
}

// A bar's length is in proportion to its count: the axis begins at zero.
func TestChartBars(t *testing.T) {
	t.Parallel()
	svg, err := chart([]KindCount{{Removal, 2}, {Overdue, 1}})
	if err != nil {
		t.Fatal(err)
	}
	var widths []int
	for _, bar := range regexp.MustCompile(`d="M (\d+) [^"]*?L (\d+) [^"]*" style="stroke:none;fill:rgb\(84`).FindAllStringSubmatch(strings.ReplaceAll(svg, "\n", " "), -1) {
		from, _ := strconv.Atoi(bar[1])
		to, _ := strconv.Atoi(bar[2])
		widths = append(widths, to-from)
	}
	slices.Sort(widths)
	if len(widths) != 2 || widths[0] < 100 || widths[1] < 2*widths[0]-4 || widths[1] > 2*widths[0]+4 {
		t.Errorf("the bars of 1 and 2 are %v long", widths)
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	in := small()
	before := Make(in)
	in.Principals[1].Identity = nil
	in.Principals = append(in.Principals, Principal{ARN: roles + "new", Role: true, Identity: []Policy{{"read", readAll}}})
	after := Make(in)
	after.Since(before)
	want := []string{"mail: " + roles + "new is new: allowed", "mail: " + roles + "old was allowed, is no more"}
	if !slices.Equal(after.Changes, want) {
		t.Errorf("changes %q, want %q", after.Changes, want)
	}
}

func TestReadAccount(t *testing.T) {
	t.Parallel()
	got, err := ReadAccount(strings.NewReader(`{"UserDetailList":[{"Arn":"arn:aws:iam::111122223333:user/u","GroupList":["g"]}],
		"GroupDetailList":[{"GroupName":"g","GroupPolicyList":[{"PolicyName":"p","PolicyDocument":"%7B%22Version%22%3A%222012-10-17%22%7D"}]}],
		"RoleDetailList":[{"Arn":"arn:aws:iam::111122223333:role/r","AttachedManagedPolicies":[{"PolicyName":"m","PolicyArn":"a"},{"PolicyName":"gone","PolicyArn":"b"}]}],
		"Policies":[{"Arn":"a","PolicyVersionList":[{"Document":{"x":1},"IsDefaultVersion":true}]}]}`))
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if p := got[0].Identity; len(p) != 1 || p[0].Text != `{"Version":"2012-10-17"}` || !got[0].Person {
		t.Errorf("user: %+v", got[0])
	}
	if p := got[1].Identity; len(p) != 2 || p[0].Text != `{"x":1}` || p[1].Text != "" || !got[1].Role {
		t.Errorf("role: %+v", got[1])
	}
}
