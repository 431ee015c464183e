package secretsmanager

import (
	"context"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

type filter struct {
	Key    string
	Values []string
}

type listInput struct {
	Filters                []filter
	IncludePlannedDeletion bool
	MaxResults             int
	NextToken              string
	SortOrder              string
	SortBy                 string
}

func list(ctx context.Context, s *Service, in *listInput) (any, error) {
	all, err := s.matching(ctx, in.Filters, in.IncludePlannedDeletion)
	if err != nil {
		return nil, err
	}
	sortBy(all, in.SortBy)
	if in.SortOrder == "desc" {
		slices.Reverse(all)
	}
	from, to, next, err := s.paginate(in.NextToken, in.MaxResults, len(all), maxPage)
	if err != nil {
		return nil, err
	}
	out := struct {
		SecretList []*description
		NextToken  string `json:",omitempty"`
	}{[]*description{}, next}
	for _, sec := range all[from:to] {
		d := sec.describe()
		d.SecretVersionsToStages, d.ReplicationStatus = sec.stages(), nil
		out.SecretList = append(out.SecretList, d)
	}
	return out, nil
}

// sortBy orders secrets, which are in the order of their creation.
func sortBy(all []*secret, key string) {
	var compare func(a, b *secret) int
	switch key {
	case "name":
		compare = func(a, b *secret) int { return strings.Compare(a.name, b.name) }
	case "last-changed-date":
		compare = func(a, b *secret) int { return a.changed.Compare(b.changed) }
	case "last-accessed-date":
		compare = func(a, b *secret) int { return a.accessed.Compare(b.accessed) }
	default:
		return
	}
	slices.SortStableFunc(all, compare)
}

// matching returns the secrets that every filter accepts, oldest first.
func (s *Service) matching(ctx context.Context, filters []filter, deleted bool) ([]*secret, error) {
	for _, f := range filters {
		if err := f.check(); err != nil {
			return nil, err
		}
	}
	var out []*secret
	for _, live := range s.byAge() {
		sec := live
		if s.staleNow(ctx, live) {
			if sec = live.before; sec == nil {
				continue
			}
		}
		if !sec.deleted.IsZero() && !deleted {
			continue
		}
		if !slices.ContainsFunc(filters, func(f filter) bool { return !f.accepts(sec) }) {
			out = append(out, sec)
		}
	}
	return out, nil
}

func (f filter) check() error {
	if f.Key == "" {
		return invalidParameter("Invalid filter key")
	}
	if len(f.Values) == 0 {
		return invalidParameter("Invalid filter values for key: %s", f.Key)
	}
	return nil
}

// accepts reports whether any of the values matches; "!" turns a value around.
func (f filter) accepts(sec *secret) bool {
	return slices.ContainsFunc(f.Values, func(value string) bool {
		wanted, not := strings.CutPrefix(value, "!")
		return f.matches(sec, wanted) != not
	})
}

func (f filter) matches(sec *secret, value string) bool {
	prefix := func(text string) bool { return strings.HasPrefix(text, value) }
	switch f.Key {
	case "name":
		return prefix(sec.name)
	case "description":
		return words(sec.description, value)
	case "tag-key":
		return slices.ContainsFunc(sec.tags, func(t tag) bool { return prefix(t.Key) })
	case "tag-value":
		return slices.ContainsFunc(sec.tags, func(t tag) bool { return prefix(t.Value) })
	case "primary-region":
		return len(sec.replicas) > 0 && prefix(primaryRegion)
	case "owning-service":
		return false // no AWS service owns secrets here
	default:
		text := []string{sec.name, sec.description}
		for _, t := range sec.tags {
			text = append(text, t.Key, t.Value)
		}
		return words(strings.Join(text, " "), value)
	}
}

// words reports whether each word of value begins some word of text, whatever
// the case.
func words(text, value string) bool {
	have := strings.Fields(strings.ToLower(text))
	for want := range strings.FieldsSeq(strings.ToLower(value)) {
		if !slices.ContainsFunc(have, func(w string) bool { return strings.HasPrefix(w, want) }) {
			return false
		}
	}
	return true
}

type batchInput struct {
	SecretIDList []string `json:"SecretIdList"`
	Filters      []filter
	MaxResults   int
	NextToken    string
}

type batchError struct {
	SecretID  string `json:"SecretId"`
	ErrorCode string
	Message   string
}

const maxBatch = 20

func batchGet(ctx context.Context, s *Service, in *batchInput) (any, error) {
	ids, next, err := s.batchIDs(ctx, in)
	if err != nil {
		return nil, err
	}
	out := struct {
		SecretValues []any
		Errors       []batchError
		NextToken    string `json:",omitempty"`
	}{[]any{}, []batchError{}, next}
	for _, id := range ids {
		value, err := getValue(ctx, s, &getInput{SecretID: id})
		if err != nil {
			aws := wire.AsError(err)
			out.Errors = append(out.Errors, batchError{id, aws.Code, aws.Message})
			continue
		}
		out.SecretValues = append(out.SecretValues, value)
	}
	return out, nil
}

func (s *Service) batchIDs(ctx context.Context, in *batchInput) (ids []string, next string, err error) {
	switch {
	case len(in.SecretIDList) > 0 && len(in.Filters) > 0:
		return nil, "", invalidParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	case len(in.SecretIDList) > 0 && in.MaxResults > 0:
		return nil, "", invalidParameter("'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.")
	case len(in.SecretIDList) > 0:
		return in.SecretIDList, "", nil
	case len(in.Filters) == 0:
		return nil, "", invalidParameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
	}
	all, err := s.matching(ctx, in.Filters, false)
	if err != nil {
		return nil, "", err
	}
	from, to, next, err := s.paginate(in.NextToken, in.MaxResults, len(all), maxBatch)
	if err != nil {
		return nil, "", err
	}
	for _, sec := range all[from:to] {
		ids = append(ids, sec.arn)
	}
	return ids, next, nil
}
