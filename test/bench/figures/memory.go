package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// sampling is how often memory is looked at: a peak that is shorter is missed.
const sampling = 100 * time.Millisecond

// watch returns the most memory that a process and all that it started, Go's
// and node's, had at one time until ended: the sum of their resident sets, in
// bytes, in the samples. What they share counts in each, so that it is rather
// too much. 0: this system has no /proc.
func watch(pid int, ended <-chan struct{}) (peak int64) {
	tick := time.NewTicker(sampling)
	defer tick.Stop()
	for {
		peak = max(peak, resident(strconv.Itoa(pid)))
		select {
		case <-ended:
			return peak
		case <-tick.C:
		}
	}
}

// resident is the memory of a process and of its descendants.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func resident(pid string) int64 {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	memory, children := map[string]int64{}, map[string][]string{}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name, in parentheses, may hold anything; after it are the state and
		// the parent, and as the 22nd the resident pages.
		f := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
		if len(f) < 22 {
			continue
		}
		id := filepath.Base(filepath.Dir(path))
		pages, _ := strconv.ParseInt(string(f[21]), 10, 64)
		memory[id] = pages * int64(os.Getpagesize())
		children[string(f[1])] = append(children[string(f[1])], id)
	}
	sum := int64(0)
	for all := []string{pid}; len(all) > 0; all = all[1:] {
		sum += memory[all[0]]
		all = append(all, children[all[0]]...)
	}
	return sum
}
