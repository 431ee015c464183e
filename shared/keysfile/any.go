package keysfile

import (
	"encoding/json"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// any reads a value of the vendor's own settings, as JSON has it. Numbers are
// json.Number, so that none loses a digit.
func (d *decoder) any(n *yaml.Node, path string) (any, bool) {
	if n.ShortTag() != "!!null" && !d.plain(n, path) {
		return nil, false
	}
	switch n.Kind {
	case yaml.MappingNode:
		out, whole := map[string]any{}, true
		for _, p := range d.pairs(n, path, "name: value, and so on") {
			where := join(path, p.name)
			d.at[where] = d.pos(p.value)
			v, ok := d.any(p.value, where)
			out[p.name], whole = v, whole && ok
		}
		return out, whole
	case yaml.SequenceNode:
		out, whole := make([]any, len(n.Content)), true
		for i, e := range n.Content {
			where := item(path, i)
			d.at[where] = d.pos(e)
			v, ok := d.any(e, where)
			out[i], whole = v, whole && ok
		}
		return out, whole
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode, yaml.StreamNode:
	}
	switch n.ShortTag() {
	case "!!bool":
		return n.Value[0] == 't' || n.Value[0] == 'T', true
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value), true
		}
		d.wrong(n, path, n.Value+" is no decimal number", "write it as JSON has it, or in quotes: "+strconv.Quote(n.Value))
		return nil, false
	case "!!str", "!!timestamp":
		return n.Value, true
	}
	d.wrong(n, path, "no value", "write one, or leave the setting out")
	return nil, false
}
