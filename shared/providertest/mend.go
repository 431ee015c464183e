package providertest

import (
	"encoding/json"
	"strings"
)

// mended mends the known defects of vendors' descriptions, which a strict
// validator takes at their word.
func mended(b []byte) []byte {
	var doc map[string]any
	if json.Unmarshal(b, &doc) != nil {
		return b
	}
	version, _ := doc["openapi"].(string)
	m := mender{doc: doc, nullable: strings.HasPrefix(version, "3.1")}
	m.mend(doc)
	out, err := json.Marshal(doc)
	if err != nil {
		return b
	}
	return out
}

type mender struct {
	doc      map[string]any
	nullable bool // the version does not know "nullable", but it is there
}

func (m mender) mend(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			m.mend(e)
		}
	case map[string]any:
		if t, ok := v["type"].(string); ok && m.nullable && v["nullable"] == true {
			v["type"] = []any{t, "null"}
			delete(v, "nullable")
		}
		if _, text := v["default"].(string); v["type"] == "string" && !text {
			delete(v, "default") // Vault's durations have numbers
		}
		m.parameter(v)
		onlyMember(v)
		refusal(v)
		for _, e := range v {
			m.mend(e)
		}
	}
}

// parameter: a part of a path is a text, where nothing is said of it.
func (m mender) parameter(v map[string]any) {
	schema, _ := v["schema"].(map[string]any)
	ref, _ := schema["$ref"].(string)
	if v["in"] != "path" || ref == "" {
		return
	}
	var at any = m.doc
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		next, _ := at.(map[string]any)
		at = next[part]
	}
	if empty, ok := at.(map[string]any); ok && len(empty) == 0 {
		v["schema"] = map[string]any{"type": "string"}
	}
}

// onlyMember: what an object must have, and nothing else, can be written.
// Cloudflare calls a permission group's id read-only.
func onlyMember(v map[string]any) {
	required, _ := v["required"].([]any)
	members, _ := v["properties"].(map[string]any)
	if len(required) != 1 {
		return
	}
	name, _ := required[0].(string)
	if member, ok := members[name].(map[string]any); ok {
		delete(member, "readOnly")
	}
}

// refusal: Cloudflare's refusals are all of a success and of a failure, which
// nothing can be. The failure, which comes last, is meant.
func refusal(v map[string]any) {
	res, _ := v["4XX"].(map[string]any)
	content, _ := res["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	schema, _ := media["schema"].(map[string]any)
	if all, _ := schema["allOf"].([]any); len(all) > 1 {
		media["schema"] = all[len(all)-1]
	}
}
