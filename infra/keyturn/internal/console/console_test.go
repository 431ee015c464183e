package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name string
		in   time.Duration
		want string
	}{
		{"nothing", 0, "0s"},
		{"below a second", 999 * time.Millisecond, "0s"},
		{"the last second before minutes", 2*time.Minute - 1, "119s"},
		{"minutes", 2 * time.Minute, "2m"},
		{"the last minute before hours", 2*time.Hour - 1, "119m"},
		{"hours", 2 * time.Hour, "2h"},
		{"the last hour before days", 48*time.Hour - 1, "47h"},
		{"days, rounded down", 3*day - 1, "2d"},
		{"years stay days", 800 * day, "800d"},
		{"the direction is left out", -3 * day, "3d"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := console.Duration(tt.in); got != tt.want {
				t.Errorf("Duration(%s) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestRelative(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, want string
		in         time.Time
	}{
		{"zero", "never", time.Time{}},
		{"now", "now", now.Add(400 * time.Millisecond)},
		{"to come", "in 18d", now.Add(18*24*time.Hour + time.Hour)},
		{"past", "3h ago", now.Add(-3*time.Hour - time.Minute)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := console.Relative(tt.in, now); got != tt.want {
				t.Errorf("Relative = %q, want %q", got, tt.want)
			}
		})
	}
	if got, want := console.Instant(now.Add(time.Hour).In(time.FixedZone("", 3600)), now), "2026-03-01 13:00:00Z (in 60m)"; got != want {
		t.Errorf("Instant = %q, want %q", got, want)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"a command to the terminal", "a\x1b[2Jb", "a?[2Jb"},
		{"more lines", "a\r\n\tb", "a   b"},
		{"text that turns around", "a\u202eb", "a?b"},
		{"no UTF-8", "a\xffb", "a?b"},
		{"letters stay", "Schlüssel 鍵", "Schlüssel 鍵"},
		{"long", strings.Repeat("é", 700), strings.Repeat("é", 600) + "..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := console.Clean(tt.in); got != tt.want {
				t.Errorf("Clean = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var table console.Table
	table.Row("KEY", "AGE", "OWNER")
	table = append(table, []console.Cell{{Text: "é/x", Style: console.Bad}, {}, {Text: "a\x1bb"}})
	table.Row("longer", "12d")
	want := "KEY     AGE  OWNER\né/x     -    a?b\nlonger  12d\n"
	if diff := cmp.Diff(want, table.Render(console.Palette{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	painted := table.Render(console.Palette{On: true})
	if !strings.Contains(painted, "\x1b[31mé/x\x1b[0m     -") {
		t.Errorf("colors move the columns: %q", painted)
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	var f console.Fields
	f.Add("age", "12d")
	f.Add("nothing", "")
	f.Add("older keys", "a")
	f.Add("older keys", "b")
	want := "age         12d\nolder keys  a\n            b\n"
	if diff := cmp.Diff(want, f.Render(console.Palette{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := console.Progress{W: &b}
	p.Say("x")
	p.End()
	if b.String() != "" {
		t.Errorf("said %q without a terminal", b.String())
	}
	p = console.Progress{W: &b, Terminal: true}
	p.Say("one")
	p.Say("two")
	p.End()
	p.End()
	if want := "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[K"; b.String() != want {
		t.Errorf("said %q, want %q", b.String(), want)
	}
}
