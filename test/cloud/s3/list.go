package s3

import (
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

type owner struct {
	ID string
}

// self owns everything: a canonical user id is 64 hexadecimal digits.
func self() owner { return owner{strings.Repeat("0123456789abcdef", 4)} }

type common struct{ Prefix string }

// page is what the lists' requests have in common.
type page struct {
	prefix, delimiter string
	most              int
	encode            func(string) string
}

func paging(q url.Values) (page, error) {
	p := page{prefix: q.Get("prefix"), delimiter: q.Get("delimiter"), most: 1000, encode: func(s string) string { return s }}
	if text := q.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return p, invalid("max-keys", text, "Provided max-keys not an integer or within integer range")
		}
		p.most = min(n, 1000)
	}
	switch kind := q.Get("encoding-type"); kind {
	case "":
	case "url":
		p.encode = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }
	default:
		return p, invalid("encoding-type", kind, "Invalid Encoding Method specified in Request")
	}
	return p, nil
}

// group returns the common prefix that key is part of, "" if none.
func (p page) group(key string) string {
	if p.delimiter == "" {
		return ""
	}
	rest := key[len(p.prefix):]
	if i := strings.Index(rest, p.delimiter); i >= 0 {
		return key[:len(p.prefix)+i+len(p.delimiter)]
	}
	return ""
}

type entry struct {
	Key               string
	LastModified      string
	ETag              string
	ChecksumAlgorithm []string
	ChecksumType      string
	Size              int
	StorageClass      string
	Owner             *owner `xml:",omitempty"`
}

func (p page) entry(key string, v *version) entry {
	e := entry{Key: p.encode(key), LastModified: stamp(v.at), ETag: v.etag, ChecksumType: "FULL_OBJECT", Size: len(v.body), StorageClass: "STANDARD"}
	for algorithm := range v.sums {
		e.ChecksumAlgorithm = append(e.ChecksumAlgorithm, strings.ToUpper(algorithm))
	}
	return e
}

type listResult struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name, Prefix          string
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount, MaxKeys     int
	IsTruncated           bool
	Contents              []entry
	CommonPrefixes        []common
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (*Service) listObjects(q *request, b *bucket) (*wire.Reply, error) {
	params := q.HTTP.URL.Query()
	p, err := paging(params)
	if err != nil {
		return nil, err
	}
	out := listResult{
		Name: b.name, Prefix: p.encode(p.prefix), Delimiter: p.encode(p.delimiter), EncodingType: params.Get("encoding-type"),
		StartAfter: p.encode(params.Get("start-after")), ContinuationToken: params.Get("continuation-token"), MaxKeys: p.most,
	}
	after := params.Get("start-after")
	if token := params.Get("continuation-token"); params.Has("continuation-token") {
		raw, err := base64.URLEncoding.DecodeString(token)
		if err != nil || token == "" {
			return nil, invalid("continuation-token", token, "The continuation token provided is incorrect")
		}
		after = string(raw)
	}
	keys := b.order()
	from, _ := slices.BinarySearch(keys, max(after, p.prefix))
	last, group := "", ""
	for _, key := range keys[from:] {
		v := b.latest(key)
		switch {
		case !strings.HasPrefix(key, p.prefix):
			from = -1 // behind the last with the prefix
		case key <= after || v.marker || after != "" && p.group(key) == after:
			continue
		case group != "" && p.group(key) == group:
			continue // counted already
		case out.KeyCount == p.most:
			out.IsTruncated = p.most > 0
			from = -1
		}
		if from < 0 {
			break
		}
		out.KeyCount++
		if group = p.group(key); group != "" {
			out.CommonPrefixes = append(out.CommonPrefixes, common{p.encode(group)})
			last = group
			continue
		}
		e := p.entry(key, v)
		if params.Get("fetch-owner") == "true" {
			e.Owner = new(self())
		}
		out.Contents = append(out.Contents, e)
		last = key
	}
	if out.IsTruncated {
		out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(last))
	}
	return answer(out)
}

type versionEntry struct {
	entry
	VersionId string //nolint:revive // AWS's name
	IsLatest  bool
}

type markerEntry struct {
	Key, VersionId string //nolint:revive // AWS's name
	IsLatest       bool
	LastModified   string
	Owner          owner
}

type versionsResult struct {
	XMLName             xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
	Name, Prefix        string
	KeyMarker           string
	VersionIdMarker     string //nolint:revive // AWS's name
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIdMarker string `xml:",omitempty"` //nolint:revive // AWS's name
	MaxKeys             int
	Delimiter           string `xml:",omitempty"`
	EncodingType        string `xml:",omitempty"`
	IsTruncated         bool
	Version             []versionEntry
	DeleteMarker        []markerEntry
	CommonPrefixes      []common
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
func (*Service) listVersions(q *request, b *bucket) (*wire.Reply, error) {
	params := q.HTTP.URL.Query()
	p, err := paging(params)
	if err != nil {
		return nil, err
	}
	after, afterID := params.Get("key-marker"), params.Get("version-id-marker")
	if afterID != "" && after == "" {
		return nil, invalid("version-id-marker", afterID, "A version-id marker cannot be specified without a key marker.")
	}
	out := versionsResult{
		Name: b.name, Prefix: p.encode(p.prefix), Delimiter: p.encode(p.delimiter), EncodingType: params.Get("encoding-type"),
		KeyMarker: p.encode(after), VersionIdMarker: afterID, MaxKeys: p.most,
	}
	keys := b.order()
	from, _ := slices.BinarySearch(keys, max(after, p.prefix))
	count, group := 0, ""
	for _, key := range keys[from:] {
		if !strings.HasPrefix(key, p.prefix) || out.IsTruncated {
			break
		}
		g := p.group(key)
		if key < after || key == after && afterID == "" || g != "" && (g == group || g == after) {
			continue
		}
		skipping := key == after
		for i, v := range slices.Backward(b.objects[key]) {
			if skipping {
				skipping = v.id != afterID
				continue
			}
			if count == p.most {
				out.IsTruncated = p.most > 0
				break
			}
			count++
			out.NextKeyMarker, out.NextVersionIdMarker = p.encode(key), v.id
			if group = g; g != "" {
				out.CommonPrefixes = append(out.CommonPrefixes, common{p.encode(g)})
				out.NextKeyMarker, out.NextVersionIdMarker = p.encode(g), ""
				break
			}
			latest := i == len(b.objects[key])-1
			if v.marker {
				out.DeleteMarker = append(out.DeleteMarker, markerEntry{p.encode(key), v.id, latest, stamp(v.at), self()})
				continue
			}
			e := p.entry(key, v)
			e.Owner = new(self())
			out.Version = append(out.Version, versionEntry{e, v.id, latest})
		}
	}
	if !out.IsTruncated {
		out.NextKeyMarker, out.NextVersionIdMarker = "", ""
	}
	return answer(out)
}
