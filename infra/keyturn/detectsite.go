package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/detect/country"
	"github.com/keyturn/keyturn/shared/detect/keysite"
	"github.com/keyturn/keyturn/shared/detect/mmdb"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// ours is the keys' file, if there is one or should be; else "".
func (a *app) ours() string {
	path := a.declaration()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && a.getenv("KEYTURN_CONFIG") == "" {
		return ""
	}
	return path
}

// detectSite reads what is ours; "" knows nothing.
func (a *app) detectSite(path string) (*detect.Site, error) {
	switch {
	case path == "":
		return (&detect.Site{}).Prepare(country.Embedded{}), nil
	case isJSON(path):
		b, err := os.ReadFile(path) //nolint:gosec // what the operator names
		if err != nil {
			return nil, unloaded(path, err)
		}
		var s detect.Site
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return nil, failed(typeConfig, path+": "+err.Error(), "see docs/detection.md for its fields")
		}
		return s.Prepare(country.Embedded{}), nil
	}
	f, err := keysfile.LoadFiles(keysfile.Options{Vendors: a.vendors}, path)
	if err != nil {
		return nil, unloaded(path, err)
	}
	names := slices.Sorted(maps.Keys(f.Environments))
	name := a.setting(a.flags.environment, "KEYTURN_ENVIRONMENT", "")
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	env, ok := f.Environments[name]
	if !ok {
		return nil, usage("which environment? there are "+strings.Join(names, ", "), "--environment NAME")
	}
	s := keysite.Site(f, env.Account, env.Region)
	if f.Detect.Countries == nil {
		return s.Prepare(country.Embedded{}), nil
	}
	file := f.Detect.Countries.MMDB
	data, err := os.ReadFile(file) //nolint:gosec // what the operator names
	if err != nil {
		return nil, unloaded(file, err)
	}
	db, err := mmdb.Open(data)
	if err != nil {
		return nil, failed(typeConfig, file+": "+err.Error(), "download it again, or leave detect.countries out")
	}
	return s.Prepare(db), nil
}

func (a *app) sayFinding(f detect.Finding) {
	if a.flags.json {
		a.printJSONLine(f)
		return
	}
	style := console.Warn
	if f.Severity >= detect.High {
		style = console.Bad
	}
	line := fmt.Sprintf("%s %s: %s", f.Rule, f.Title, f.Why)
	if f.Principal != "" {
		line += "; by " + f.Principal
	}
	if len(f.Secrets) > 0 {
		line += "; on " + some(f.Secrets)
	}
	if len(f.Where) > 0 {
		line += "; from " + some(f.Where)
	}
	p := a.palette(a.outTerminal)
	a.say("%s %s %s", f.Time.Format(time.RFC3339), p.Paint(style, fmt.Sprintf("%-8s", f.Severity)), console.Clean(line))
}

// some names at most three.
func some(list []string) string {
	if len(list) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:3], ", "), len(list)-3)
	}
	return strings.Join(list, ", ")
}

func (a *app) saySummary(sum detected, rules []detect.Rule) {
	if a.flags.json {
		a.printJSONLine(map[string]detected{"summary": sum})
		return
	}
	total := 0
	for _, n := range sum.Findings {
		total += n
	}
	a.say("%d events of %s to %s in %d files, %d unreadable, %d a second; %d findings; %d tracks in %d KB",
		sum.Events, sum.First.Format(time.RFC3339), sum.Last.Format(time.RFC3339), sum.Files, sum.Unreadable, sum.PerSecond, total, sum.Tracks, (sum.TrackBytes+1023)/1024)
	if sum.Site == "" {
		a.say("every secret was watched, none is known as yours: --site %s", keysName)
	} else {
		a.say("what is yours: %s", console.Clean(sum.Site))
	}
	for _, r := range rules {
		if n := sum.Findings[r.ID]; n > 0 {
			off := ""
			if !r.Default {
				off = " (off by default)"
			}
			a.say("  %s %5d  %s%s", r.ID, n, r.Title, off)
		}
	}
}

// printJSONLine prints one JSON document on a line.
func (a *app) printJSONLine(v any) {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) //nolint:errchkjson // our own types, and stdout
}
