package secretsmanager

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// limit is what the service's model says of a member: lengths of texts and
// lists, and the range of numbers. https://github.com/aws/api-models-aws has it.
type limit struct {
	min, max int
	member   *limit // of each text in a list
	pattern  string
	enum     []string
	hidden   bool // the value is not repeated in the refusal
}

// limits are the members by their path. The name of a secret, tokens and
// rotation rules are not here: the service refuses them in words of its own.
func limits() map[string]limit {
	region := limit{min: 1, max: 128, pattern: `^([a-z]+-)+\d+$`}
	return map[string]limit{
		"SecretId":             {min: 1, max: 2048},
		"Description":          {max: 2048},
		"KmsKeyId":             {max: 2048},
		"SecretString":         {min: 1, max: maxValue, hidden: true},
		"SecretBinary":         {min: 1, max: maxValue, hidden: true},
		"RotationLambdaARN":    {max: 2048},
		"ResourcePolicy":       {min: 1, max: 20480},
		"VersionId":            {min: 32, max: 64},
		"MoveToVersionId":      {min: 32, max: 64},
		"RemoveFromVersionId":  {min: 32, max: 64},
		"VersionStage":         {min: 1, max: 256},
		"VersionStages":        {min: 1, max: maxLabels, member: &limit{min: 1, max: 256}},
		"Tags.Key":             {min: 1, max: 128},
		"Tags.Value":           {max: 256},
		"MaxResults":           {min: 1, max: 100},
		"NextToken":            {min: 1, max: 4096},
		"SecretIdList":         {min: 1, max: maxBatch, member: &limit{min: 1, max: 2048}},
		"Filters":              {max: 10},
		"Filters.Key":          {max: 64, enum: []string{"all", "name", "tag-key", "description", "tag-value", "primary-region", "owning-service"}},
		"Filters.Values":       {min: 1, max: 10, member: &limit{max: 512}},
		"SortOrder":            {max: 64, enum: []string{"asc", "desc"}},
		"SortBy":               {max: 64, enum: []string{"created-date", "last-accessed-date", "last-changed-date", "name"}},
		"PasswordLength":       {min: 1, max: 4096},
		"ExcludeCharacters":    {max: 4096},
		"AddReplicaRegions":    {min: 1, max: 1 << 10},
		"RemoveReplicaRegions": {min: 1, max: 1 << 10, member: &region},

		"AddReplicaRegions.Region":           region,
		"AddReplicaRegions.KmsKeyId":         {max: 2048},
		"ExternalSecretRotationMetadata.Key": {min: 1, max: 256}, "ExternalSecretRotationMetadata.Value": {min: 1, max: 2048},
	}
}

// requiredOf are the members that an operation cannot do without.
func requiredOf(operation string) []string {
	switch operation {
	case "CreateSecret":
		return []string{"Name"}
	case "ListSecrets", "GetRandomPassword", "BatchGetSecretValue":
		return nil
	case "ValidateResourcePolicy":
		return []string{"ResourcePolicy"}
	}
	more := map[string]string{
		"PutResourcePolicy": "ResourcePolicy", "TagResource": "Tags", "UntagResource": "TagKeys",
		"ReplicateSecretToRegions": "AddReplicaRegions", "RemoveRegionsFromReplication": "RemoveReplicaRegions",
		"UpdateSecretVersionStage": "VersionStage",
	}
	if also := more[operation]; also != "" {
		return []string{"SecretId", also}
	}
	return []string{"SecretId"}
}

// validate applies the model to a request, before anything else looks at it.
// The answer names every member that is wrong, as AWS's does.
func validate(c *wire.Call) error {
	in := map[string]any{}
	if len(c.Body) > 0 && json.Unmarshal(c.Body, &in) != nil {
		return nil //nolint:nilerr // the decoder, which comes next, says it better
	}
	v := validation{limits: limits()}
	for _, name := range requiredOf(c.Operation) {
		if in[name] == nil {
			v.problems = append(v.problems, "Value null at '"+path(name)+"' failed to satisfy constraint: Member must not be null")
		}
	}
	v.object("", "", in)
	switch n := len(v.problems); n {
	case 0:
		return nil
	case 1:
		return fail("ValidationException", "1 validation error detected: %s", v.problems[0])
	default:
		return fail("ValidationException", "%d validation errors detected: %s", n, strings.Join(v.problems, "; "))
	}
}

type validation struct {
	limits   map[string]limit
	problems []string
}

// path is a member's name as the refusals write it.
func path(name string) string {
	r := []rune(name)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}

// object looks at the members of an object. prefix is its key in the limits,
// at its path in messages.
func (v *validation) object(prefix, at string, in map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		v.value(prefix+name, at+path(name), in[name])
	}
}

func (v *validation) value(key, at string, value any) {
	l, known := v.limits[key]
	switch value := value.(type) {
	case string:
		if known {
			v.text(l, key, at, value)
		}
	case float64:
		if known {
			v.bounds(int(value), l, at, fmt.Sprintf("'%d' ", int(value)), "value")
		}
	case []any:
		v.list(l, known, key, at, value)
	}
}

func (v *validation) text(l limit, key, at, value string) {
	shown := "'" + value + "' "
	if l.hidden {
		shown = ""
	}
	n := utf8.RuneCountInString(value)
	switch key {
	case "SecretString":
		n = len(value)
	case "SecretBinary":
		raw, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return // the decoder says it better
		}
		n = len(raw)
	}
	v.bounds(n, l, at, shown, "length")
	if l.enum != nil && !slices.Contains(l.enum, value) {
		v.refuse(shown, at, "Member must satisfy enum value set: ["+strings.Join(l.enum, ", ")+"]")
	}
	if l.pattern != "" && !regexp.MustCompile(l.pattern).MatchString(value) {
		v.refuse(shown, at, "Member must satisfy regular expression pattern: "+l.pattern)
	}
}

func (v *validation) list(l limit, known bool, key, at string, list []any) {
	if known {
		v.bounds(len(list), l, at, "", "length")
	}
	var texts []string
	bad := false
	for i, item := range list {
		switch item := item.(type) {
		case map[string]any:
			v.object(key+".", fmt.Sprintf("%s.%d.member.", at, i+1), item)
		case string:
			texts = append(texts, item)
			bad = bad || l.member != nil && !l.member.allows(item)
		}
	}
	if bad {
		v.refuse("'["+strings.Join(texts, ", ")+"]' ", at, "Member must satisfy constraint: ["+l.member.String()+"]")
	}
}

func (l *limit) allows(text string) bool {
	n := utf8.RuneCountInString(text)
	return n >= l.min && n <= l.max && (l.pattern == "" || regexp.MustCompile(l.pattern).MatchString(text))
}

func (l *limit) String() string {
	parts := []string{
		fmt.Sprintf("Member must have length less than or equal to %d", l.max),
		fmt.Sprintf("Member must have length greater than or equal to %d", l.min),
	}
	if l.pattern != "" {
		parts = append(parts, "Member must satisfy regular expression pattern: "+l.pattern)
	}
	return strings.Join(parts, ", ")
}

func (v *validation) bounds(n int, l limit, at, shown, what string) {
	switch {
	case n < l.min:
		v.refuse(shown, at, fmt.Sprintf("Member must have %s greater than or equal to %d", what, l.min))
	case n > l.max:
		v.refuse(shown, at, fmt.Sprintf("Member must have %s less than or equal to %d", what, l.max))
	}
}

func (v *validation) refuse(shown, at, constraint string) {
	v.problems = append(v.problems, "Value "+shown+"at '"+at+"' failed to satisfy constraint: "+constraint)
}
