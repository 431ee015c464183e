// Package docs reads our own pages as their readers do: it follows their links,
// and takes out the examples that they show.
package docs

import (
	"bufio"
	"regexp"
	"strings"
)

// Link is a link of a page.
type Link struct {
	Label, Target string
	Line          int
}

var link = regexp.MustCompile(`\[([^\]\[]+)\]\(([^)\s]+)\)`)

// Links returns the links of a page, without those in blocks of code.
func Links(page string) (all []Link) {
	eachLine(page, func(n int, line, block string) {
		if block != "" {
			return
		}
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			all = append(all, Link{strings.Trim(m[1], "`*"), m[2], n})
		}
	})
	return all
}

// Blocks returns what stands in a page's blocks of code of a language.
func Blocks(page, language string) (all []string) {
	var b strings.Builder
	eachLine(page, func(_ int, line, block string) {
		switch {
		case block == language && !strings.HasPrefix(line, "```"):
			b.WriteString(line + "\n")
		case b.Len() > 0:
			all = append(all, b.String())
			b.Reset()
		}
	})
	return all
}

var other = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// Anchors returns where links to a page may lead: its headings, as GitHub names
// them.
func Anchors(page string) map[string]bool {
	all := map[string]bool{}
	eachLine(page, func(_ int, line, block string) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && block == "" && strings.HasPrefix(line, "#") {
			all[strings.ReplaceAll(other.ReplaceAllString(strings.ToLower(title), ""), " ", "-")] = true
		}
	})
	return all
}

// eachLine tells each line and the language of the block that it is in; "" if it
// is in none, "?" if the block names none.
func eachLine(page string, do func(n int, line, block string)) {
	block, n := "", 0
	for s := bufio.NewScanner(strings.NewReader(page)); s.Scan(); {
		n++
		line := s.Text()
		language, fence := strings.CutPrefix(line, "```")
		if fence && block == "" {
			if block = language; block == "" {
				block = "?"
			}
			do(n, line, block)
			continue
		}
		do(n, line, block)
		if fence {
			block = ""
		}
	}
}
