package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/trail"
)

// detectFlags are those of keyturn detect.
type detectFlags struct {
	site, since string
	rules       []string
}

func (a *app) detect() *cobra.Command {
	var d detectFlags
	c := &cobra.Command{
		Use:   "detect DIR|FILE...",
		Short: "Try the detections on CloudTrail files of your own",
		Long: `Run the detections over CloudTrail files and print what they find, to see how
loud they would be before they are turned on. Files are as CloudTrail writes
them: JSON, JSON lines or EventBridge envelopes, plain or gzip, or what
aws cloudtrail lookup-events prints; in a DIR, all *.json, *.jsonl and *.gz but
digests. What cannot be read is counted, and named on stderr. Nothing is sent
anywhere. Many files may have millions of events: those that lie within the
same time are held in memory, about 6 KB each.

--site says what is yours: keyturn.yaml, or a JSON file with more (secrets,
roles, automation, allow-lists, thresholds; see docs/detection.md). It is
KEYTURN_CONFIG if it is not given, else keyturn.yaml. Where there is none, or
with --site "", every secret is watched and none is known as yours. What is
normal is learned from the first 14 days.

One line for each finding, then a summary; with --json each line is an object,
the last one the summary. All rules run, those too that are off by default.
Exit codes: 0 done, 1 failed, 2 usage, 3 no event in the files.`,
		Example: `  keyturn detect ./AWSLogs --site keyturn.yaml
  keyturn detect trail.json.gz --rules D-10,D-13 --since 2026-11-01 --json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("which files?", c.CommandPath()+" DIR")
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&d.site, "site", "", "`FILE` that says what is yours, keyturn.yaml or JSON (KEYTURN_CONFIG; else keyturn.yaml; \"\": every secret is watched)")
	f.StringVar(&a.flags.environment, "environment", "", "`NAME` in keyturn.yaml (else the only one)")
	f.StringSliceVar(&d.rules, "rules", nil, "run these `IDS` only, such as D-01,D-10")
	f.StringVar(&d.since, "since", "", "leave out findings before this `DAY` or time; the events before it still teach")
	return command(c, func(c *cobra.Command, args []string) error {
		if !c.Flags().Changed("site") {
			d.site = a.ours()
		}
		return a.runDetect(c.Context(), args, d)
	})
}

// detected is the summary.
type detected struct {
	Files      int            `json:"files"`
	Events     int            `json:"events"`
	Unreadable int            `json:"unreadable"`
	First      time.Time      `json:"first"`
	Last       time.Time      `json:"last"`
	Findings   map[string]int `json:"findings"` // by rule
	Off        []string       `json:"off"`      // rules of these that are off by default
	Tracks     int            `json:"tracks"`
	TrackBytes int            `json:"trackBytes"`
	PerSecond  int            `json:"eventsPerSecond"` // reading included
	Site       string         `json:"site"`            // which file says what is ours; "": none

	state *detect.Memory
}

func (a *app) runDetect(ctx context.Context, paths []string, d detectFlags) error {
	site, err := a.detectSite(d.site)
	if err != nil {
		return err
	}
	since, err := parseSince(d.since)
	if err != nil {
		return err
	}
	rules, err := chosen(site, d.rules)
	if err != nil {
		return err
	}
	began := time.Now()
	sum := detected{Findings: map[string]int{}, Off: []string{}, Site: d.site, state: &detect.Memory{}}
	files, err := a.surveyTrail(paths, &sum)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		if a.flags.json {
			a.printJSONLine(map[string]detected{"summary": sum})
		} else {
			a.say("no event could be read in %d files (%d unreadable)", sum.Files, sum.Unreadable)
		}
		return exit(exitNothing)
	}
	if site.Installed.IsZero() {
		site.Installed = sum.First
	}
	err = a.replay(ctx, detect.New(site, rules, sum.state), files, since, &sum)
	if changed, ok := errors.AsType[*failure](err); ok {
		return changed
	}
	if err != nil {
		return failed("Detect", err.Error(), "run it with --rules one by one, to see which of them it is")
	}
	for _, r := range rules {
		if !r.Default && sum.Findings[r.ID] > 0 {
			sum.Off = append(sum.Off, r.ID)
		}
	}
	sum.Tracks, sum.TrackBytes = sum.state.Size()
	sum.PerSecond = int(float64(sum.Events) / time.Since(began).Seconds())
	a.saySummary(sum, rules)
	return nil
}

// replay prints what is found in the files.
func (a *app) replay(ctx context.Context, e *detect.Engine, files []trailFile, since time.Time, sum *detected) error {
	show := func(_ context.Context, found []detect.Finding) error { //nolint:unparam // as Process takes it
		for _, f := range found {
			if !f.Time.Before(since) {
				sum.Findings[f.Rule]++
				a.sayFinding(f)
			}
		}
		return nil
	}
	const batch = 1000
	err := inOrder(files, batch, func(events []trail.Event) error {
		for part := range slices.Chunk(events, batch) {
			if err := e.Process(ctx, part[len(part)-1].Time, part, show); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// What waits is settled as if nothing more had happened in the hours after.
	return e.Process(ctx, sum.Last.Add(detect.Lateness+2*time.Hour), nil, show)
}

// chosen returns the rules, turned on: all of them, or those that are named.
func chosen(site *detect.Site, ids []string) ([]detect.Rule, error) {
	all := detect.All(site)
	site.Rules = map[string]bool{}
	for i, id := range ids {
		ids[i] = strings.ToUpper(strings.TrimSpace(id))
		if !slices.ContainsFunc(all, func(r detect.Rule) bool { return r.ID == ids[i] }) {
			return nil, usage(fmt.Sprintf("there is no rule %q", id), "the rules are D-01 to D-27 and R-01 to R-05: see docs/detection.md")
		}
	}
	var out []detect.Rule
	for _, r := range all {
		if len(ids) == 0 || slices.Contains(ids, r.ID) {
			site.Rules[r.ID] = true
			out = append(out, r)
		}
	}
	return out, nil
}

func parseSince(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage(fmt.Sprintf("--since %q is no time", s), "write 2026-11-01 or 2026-11-01T10:00:00Z")
}
