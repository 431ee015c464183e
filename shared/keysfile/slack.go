package keysfile

import (
	"crypto/sha256"
	"encoding/hex"
)

// Alias names a channel in AWS: an alias of the function that writes to channels, and
// the end of the name of the channel's topic. It depends on nothing but the channel.
func (s Slack) Alias() string {
	h := sha256.Sum256([]byte("slack " + s.Workspace + "/" + s.Channel))
	return "c" + hex.EncodeToString(h[:])[:12] // Lambda takes no digits alone
}

// Channels are the chat channels that are told something, each once.
func (n Notifications) Channels() []Slack {
	lists := [][]Subscription{n.Subscriptions}
	if n.Escalation != nil {
		lists = append(lists, n.Escalation.Subscriptions)
	}
	var all []Slack
	seen := map[Slack]bool{}
	for _, list := range lists {
		for _, s := range list {
			if s.Slack != nil && !seen[*s.Slack] {
				seen[*s.Slack] = true
				all = append(all, *s.Slack)
			}
		}
	}
	return all
}
