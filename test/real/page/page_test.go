//go:build real

package page

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/review"
	"github.com/keyturn/keyturn/test/real/apt"
)

//go:embed look.js
var lookScript string

const chromium = "/usr/bin/chromium"

// seen is what look.js says.
type seen struct {
	Width, Scroll, Height int
	Over                  []string
	Dark                  bool
	Background            string
	Violations, Unsure    []string
	Passed                int
}

// TestPage looks at the page in light and dark, on a telephone and on paper.
func TestPage(t *testing.T) {
	t.Parallel()
	if err := apt.Need(t.Context(), []string{chromium}, "chromium"); err != nil {
		t.Fatal(err)
	}
	axe, err := Axe(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]review.Input{"full": full(), "empty": {Now: full().Now}} {
		page := render(t, in)
		for _, m := range []struct {
			mode  string
			width int
			dark  bool
			print bool
		}{
			{"light", 1280, false, false},
			{"dark", 1280, true, false},
			{"telephone", 375, false, false},
			{"dark telephone", 375, true, false},
			{"small", 320, false, false},
			{"paper", 718, false, true},
		} {
			t.Run(name+" "+m.mode, func(t *testing.T) {
				t.Parallel()
				s := look(t, axe, page, m.width, m.dark, m.print)
				if s.Dark != m.dark || s.Width != m.width {
					t.Fatalf("it is not shown as it should be: %+v", s)
				}
				if s.Scroll > s.Width || len(s.Over) > 0 {
					t.Errorf("%d wide on %d: %q", s.Scroll, s.Width, s.Over)
				}
				if s.Passed < 10 {
					t.Errorf("axe-core looked at %d rules only", s.Passed)
				}
				for _, v := range s.Violations {
					t.Error(v)
				}
				t.Logf("%d rules passed; of %d elements axe-core cannot tell", s.Passed, len(s.Unsure))
			})
		}
	}
}

// TestPage_rendered wants a picture with something on it, and a document to print.
func TestPage_rendered(t *testing.T) {
	t.Parallel()
	if err := apt.Need(t.Context(), []string{chromium}, "chromium"); err != nil {
		t.Fatal(err)
	}
	dir := os.Getenv("KEYTURN_PICTURES") // to look at them
	if dir == "" {
		dir = t.TempDir()
	}
	path := filepath.Join(dir, "review.html")
	if err := os.WriteFile(path, render(t, full()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"light": {light}, "dark": {dark}} {
		picture := filepath.Join(dir, name+".png")
		browse(t, append(args, "--screenshot="+picture, "--window-size=1280,2400", "file://"+path)...)
		data, err := os.ReadFile(picture)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		colors := map[[3]uint32]bool{}
		for y := range shown.Bounds().Dy() {
			for x := 0; x < shown.Bounds().Dx(); x += 3 {
				r, g, b, _ := shown.At(x, y).RGBA()
				colors[[3]uint32{r, g, b}] = true
			}
		}
		corner, _, _, _ := shown.At(2, 2000).RGBA()
		if len(colors) < 20 || (corner < 0x8000) != (name == "dark") {
			t.Errorf("%s: %d colors, and the ground is %x", name, len(colors), corner)
		}
	}
	printed := filepath.Join(dir, "review.pdf")
	browse(t, "--print-to-pdf="+printed, "--no-pdf-header-footer", "file://"+path)
	data, err := os.ReadFile(printed)
	if err != nil || !bytes.HasPrefix(data, []byte("%PDF-")) || len(data) < 10_000 {
		t.Errorf("%d bytes on paper, %v", len(data), err)
	}
}

// The settings of Chromium for what a page asks with prefers-color-scheme.
const (
	dark  = "--blink-settings=preferredColorScheme=0"
	light = "--blink-settings=preferredColorScheme=1"
)

// look shows the page in a frame of this width, beside which axe-core runs. The page's
// own policy would keep axe-core out: it is wanted, and left out in the copy.
func look(t *testing.T, axe, page []byte, width int, inDark, onPaper bool) seen {
	t.Helper()
	const policy = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`
	copied := string(page)
	if !strings.Contains(copied, policy) {
		t.Fatal("the page lets scripts run")
	}
	copied = strings.Replace(copied, policy, "", 1)
	if onPaper { // what axe-core sees is the screen: the rules for paper are made those of the screen
		copied = strings.Replace(copied, "@media print", "@media screen", 1)
	}
	copied = strings.Replace(copied, "</body>", "<script>"+string(axe)+"</script></body>", 1)
	outer := fmt.Sprintf(`<!doctype html><html lang="en"><title>outer</title><pre id="said"></pre>
<iframe title="page" style="border:0" width="%d" height="4000" srcdoc="%s"></iframe>
<script>%s
onload = () => look(document.querySelector('iframe')).catch(e => ({violations: [String(e)]})).then(r => {
  document.querySelector('iframe').remove();
  document.querySelector('#said').textContent = JSON.stringify(r);
});</script></html>`, width, html.EscapeString(copied), lookScript)
	if onPaper { // nothing scrolls there
		outer = strings.Replace(outer, "'.wide, figure, .skip'", "'.skip'", 1)
	}
	path := filepath.Join(t.TempDir(), "outer.html")
	if err := os.WriteFile(path, []byte(outer), 0o600); err != nil {
		t.Fatal(err)
	}
	scheme := light
	if inDark {
		scheme = dark
	}
	dom := string(browse(t, scheme, "--window-size=1400,4200", "--virtual-time-budget=60000", "--dump-dom", "file://"+path))
	_, said, _ := strings.Cut(dom, `<pre id="said">`)
	said, _, _ = strings.Cut(said, "</pre>")
	var s seen
	if err := json.Unmarshal([]byte(html.UnescapeString(said)), &s); err != nil {
		t.Fatalf("%v: %.500s", err, said)
	}
	return s
}

func browse(t *testing.T, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// It shows nothing but our own file; as root, Chromium has no sandbox.
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions", "--user-data-dir=" + t.TempDir(),
	}, args...)
	cmd := exec.CommandContext(ctx, chromium, args...)
	var out, say bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &say
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%.2000s", err, say.String())
	}
	return out.Bytes()
}

func render(t *testing.T, in review.Input) []byte {
	t.Helper()
	r := review.Make(in)
	if len(in.Secrets) > 0 {
		before := review.Make(in)
		before.Keys = before.Keys[:1]
		r.Since(before)
	}
	var b bytes.Buffer
	if err := r.WritePage(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// full is a review with everything on it, and with long names.
func full() review.Input {
	const account = "111122223333"
	now := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	read := `{"Version":"2012-10-17","Statement":[{"Sid":"ReadEverythingThatThereIs","Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
	office := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}]}`
	role := func(name string) string { return "arn:aws:iam::" + account + ":role/" + name }
	in := review.Input{
		Account: account, Partition: "aws", Region: "eu-central-1", Now: now, Since: ago(90), OwnRoles: []string{role("keyturn-rotate-main")},
		Principals: []review.Principal{
			{ARN: role("service-role/a-very-long-name-of-a-role-that-somebody-made-for-the-shop"), Role: true, Identity: []review.Policy{{Name: "read", Text: read}}},
			{ARN: role("aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_AdministratorAccess_0123456789abcdef"), Role: true, Person: true, Identity: []review.Policy{{Name: "office", Text: office}}},
			{ARN: role("odd"), Role: true, Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:role/a-partner-with-a-long-name"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}}]}`, Identity: []review.Policy{{Name: "odd", Text: "{"}}},
			{ARN: role("keyturn-rotate-main"), Role: true, Identity: []review.Policy{{Name: "read", Text: read}}},
		},
		Missing: []string{"The service control policies could not be read (AccessDeniedException): they only restrict, so that at most those who are listed can read."},
		Notices: []review.Notice{
			{Kind: "suppression", Text: "D-06 is not told of " + role("backup") + ": nightly backups (ops@example.com)", Until: ago(1), Expired: true},
			{Kind: "kill switch", Text: "no finding starts an emergency rotation", Until: now.AddDate(0, 0, 3)},
			{Kind: "honeytoken", Text: "prod/trap was removed on 2026-11-20"},
		},
		SignOffs: []review.SignOff{
			{SHA256: strings.Repeat("0a", 32), Report: "s3://keyturn-ledger-111122223333-eu-central-1/review/2026-W47/review.html", At: ago(6), Writer: role("auditor") + " as ann@example.com", Decision: "accepted", Note: "read with the team", Each: []string{"prod/mailer removal: ticket 17"}},
			{SHA256: strings.Repeat("0b", 32), At: ago(5), Writer: "AROAEXAMPLE:bob", Decision: "accepted", Void: "the ledger has no review with this page"},
		},
		Checkpoint: "keyturn.example/111122223333/eu-central-1\n41\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— keyturn.example/111122223333/eu-central-1 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n",
	}
	for i, name := range []string{"prod/mailer", "prod/a/very/long/name/of/a/secret/that/has/no/place/to/break/and/goes/on/and/on/0123456789abcdef0123456789abcdef", "admin/main", "prod/new"} {
		s := review.Secret{
			ARN: fmt.Sprintf("arn:aws:secretsmanager:eu-central-1:%s:secret:%s-AbCdEf", account, name), Name: name, Owner: "team@example.com", Tier: 1, RotationOn: i != 2,
			Created: ago(400), LastRotated: ago(100 * (i + 1)), Schedule: "rate(30 days)", Version: "v1", Records: i, Failed: []string{"", "VendorFull", "", ""}[i], CannotRotate: i == 2,
			Pending: []string{"", "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE", "", ""}[i], PendingSince: ago(3),
			AtVendor: &review.Vendor{Keys: []string{"k1", "k2"}, Lost: []string{"k2"}, Held: []string{"k1"}, Words: "100 keys an account", Seen: now},
		}
		if i == 1 {
			s.Policy = `{"Version":"2012-10-17","Statement":[{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:role/a-partner-with-a-long-name"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
		}
		in.Secrets = append(in.Secrets, s)
		in.Reads = append(in.Reads, review.Read{Secret: s.ARN, Principal: in.Principals[0].ARN, Count: 123456, Last: ago(i)})
	}
	return in
}
