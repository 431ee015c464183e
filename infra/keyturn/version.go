package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) version() *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Which keyturn this is",
		Long:  "Which keyturn this is, as the Go toolchain recorded it when it was built.",
		Example: `  keyturn version
  keyturn version --json`,
		Args: noArgs,
	}
	return command(c, func(*cobra.Command, []string) error {
		v := struct {
			Version  string `json:"version"`            // "(devel)" if it was not installed as a module
			Revision string `json:"revision,omitempty"` // the commit, where it was recorded
			Go       string `json:"go"`
			Platform string `json:"platform"`
		}{Version: "(unknown)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		if info, ok := debug.ReadBuildInfo(); ok {
			if info.Main.Version != "" {
				v.Version = info.Main.Version
			}
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" {
					v.Revision = s.Value
				}
			}
		}
		if a.flags.json {
			a.printJSON(v)
			return nil
		}
		a.say("keyturn %s %s %s", v.Version, v.Go, v.Platform)
		return nil
	})
}
