// Package digest reads the files that a CloudTrail trail left in S3, and proves that
// they are as CloudTrail delivered them: each hour's digest is signed, names the digest
// before it, and holds the hash of every file of the hour.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
package digest

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

// ErrNotFound says that there is no such object.
var ErrNotFound = errors.New("not found")

// Objects is the bucket that the trail delivers to.
type Objects interface {
	// List calls f for each key that begins with prefix and comes after after, in
	// the order of the keys, until f returns an error.
	List(ctx context.Context, prefix, after string, f func(key string) error) error
	// Read returns an object and its metadata, or an error that is ErrNotFound.
	Read(ctx context.Context, bucket, key string) (data []byte, metadata map[string]string, err error)
}

// Keys are CloudTrail's public keys.
type Keys interface {
	// PublicKeys returns the keys of a time: RSA, PKCS #1 in DER, by fingerprint.
	// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html
	PublicKeys(ctx context.Context, from, to time.Time) (map[string][]byte, error)
}

// Trail is where a trail's files are. All fields but Prefix and Organization are needed.
type Trail struct {
	Objects      Objects
	Keys         Keys
	Bucket       string
	Prefix       string // of all its keys, without a slash at the end
	Organization string // ID, if it is an organization's trail
	Account      string // whose records are read
	Region       string // whose records are read
	Home         string // Region of the trail
	Name         string
}

// File is a file of records whose hash is right.
type File struct {
	Key  string
	Data []byte // not compressed
}

// Report is what was found wrong, and how far the files are proven.
type Report struct {
	Digests, Files int
	Through        time.Time // all is proven, or told below, of what was delivered before; zero: no digest was found
	Problems       []string  // a digest or file that is missing or not as it was, a gap: a sentence each
}

// limits of one object. CloudTrail's files have a few megabytes at most.
const maxInflated = 128 << 20

// document is a digest.
type document struct {
	EndTime           time.Time `json:"digestEndTime"`
	StartTime         time.Time `json:"digestStartTime"`
	Bucket            string    `json:"digestS3Bucket"`
	Object            string    `json:"digestS3Object"`
	Fingerprint       string    `json:"digestPublicKeyFingerprint"`
	PreviousObject    string    `json:"previousDigestS3Object"`
	PreviousHash      string    `json:"previousDigestHashValue"`
	PreviousSignature string    `json:"previousDigestSignature"`
	Files             []struct {
		Bucket    string `json:"s3Bucket"`
		Object    string `json:"s3Object"`
		Hash      string `json:"hashValue"`
		Algorithm string `json:"hashAlgorithm"`
	} `json:"logFiles"`

	signature string
	hash      string
	endText   string
}

const stamp = "20060102T150405Z"

// Walk gives f each file that the digests with an end after from and not after to
// name, oldest first, and returns what is wrong with them. The first of them must
// follow the digest that ends at from, if there is one: whoever goes on where a report
// ended misses none. A file that is not as CloudTrail delivered it is in the report and
// not given. The error is f's, or that of a call to AWS, after which all of it may be
// done again.
func (t Trail) Walk(ctx context.Context, from, to time.Time, f func(File) error) (Report, error) {
	var r Report
	keys, err := t.Keys.PublicKeys(ctx, from.Add(-24*time.Hour), to)
	if err != nil {
		return r, fmt.Errorf("list public keys: %w", err)
	}
	var names []string
	if err := t.Objects.List(ctx, t.dir(), t.key(from.Add(-time.Second)), func(key string) error {
		if at, ok := t.at(key); ok && !at.Before(from) && !at.After(to) {
			names = append(names, key)
		}
		return nil
	}); err != nil {
		return r, fmt.Errorf("list digests: %w", err)
	}
	var before *document
	for _, name := range names {
		d, err := t.read(ctx, name, keys)
		switch problem, bad := errors.AsType[*invalid](err); {
		case bad:
			r.Problems = append(r.Problems, problem.Error())
			before = nil
			continue
		case err != nil:
			return r, err
		}
		if !d.EndTime.After(from) {
			before = d
			continue
		}
		if gap := d.follows(before); gap != "" {
			r.Problems = append(r.Problems, name+": "+gap)
		}
		if err := t.files(ctx, d, &r, f); err != nil {
			return r, err
		}
		r.Digests++
		r.Through = d.EndTime
		before = d
	}
	return r, nil
}

// invalid is what is wrong with a digest.
type invalid struct{ key, why string }

func (e *invalid) Error() string { return e.key + ": " + e.why }

// dir is where the digests are, and key the name of one that ends at a time.
func (t Trail) dir() string {
	return path.Join(t.Prefix, "AWSLogs", t.Organization, t.Account, "CloudTrail-Digest", t.Region) + "/"
}

func (t Trail) key(at time.Time) string {
	at = at.UTC()
	return t.dir() + at.Format("2006/01/02/") + t.base() + at.Format(stamp) + ".json.gz"
}

func (t Trail) base() string {
	return t.Account + "_CloudTrail-Digest_" + t.Region + "_" + t.Name + "_" + t.Home + "_"
}

// at is the end that the name of a digest says, if it is one of this trail.
func (t Trail) at(key string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(path.Base(key), t.base())
	if !ok {
		return time.Time{}, false
	}
	at, err := time.Parse(stamp+".json.gz", rest)
	return at, err == nil && key == t.key(at)
}

// read returns a digest whose signature is right.
func (t Trail) read(ctx context.Context, key string, keys map[string][]byte) (*document, error) {
	raw, meta, err := t.Objects.Read(ctx, t.Bucket, key)
	if errors.Is(err, ErrNotFound) {
		return nil, &invalid{key, "the digest was there, and is gone"}
	}
	if err != nil {
		return nil, fmt.Errorf("read digest: %w", err)
	}
	data, err := inflate(raw)
	if err != nil {
		return nil, &invalid{key, "the digest is not gzip"}
	}
	d := &document{signature: meta["signature"]}
	var texts struct {
		End string `json:"digestEndTime"`
	}
	if json.Unmarshal(data, d) != nil || json.Unmarshal(data, &texts) != nil {
		return nil, &invalid{key, "the digest is not as CloudTrail writes it"}
	}
	d.endText, d.hash = texts.End, digestOf(data)
	if d.Bucket != t.Bucket || d.Object != key {
		return nil, &invalid{key, "the digest is of another place"}
	}
	if at, ok := t.at(key); !ok || !at.Equal(d.EndTime) {
		return nil, &invalid{key, "the digest is of another time"}
	}
	if why := d.verify(keys[d.Fingerprint]); why != "" {
		return nil, &invalid{key, why}
	}
	return d, nil
}

// verify says what is wrong with the signature.
func (d *document) verify(der []byte) string {
	if der == nil {
		return "CloudTrail has no such public key"
	}
	public, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return "CloudTrail's public key cannot be read"
	}
	signature, err := hex.DecodeString(d.signature)
	if err != nil || len(signature) == 0 {
		return "the digest has no signature"
	}
	previous := d.PreviousSignature
	if previous == "" {
		previous = "null"
	}
	sum := sha256.Sum256([]byte(d.endText + "\n" + d.Bucket + "/" + d.Object + "\n" + d.hash + "\n" + previous))
	if rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature) != nil {
		return "the digest's signature is wrong"
	}
	return ""
}

// follows says how d does not follow the digest before it, nil if there was none.
func (d *document) follows(before *document) string {
	switch {
	case before == nil:
		return ""
	case d.PreviousObject == "":
		return "a new chain begins: the trail was stopped, or changed"
	case d.PreviousObject != before.Object:
		return "the digest before it, " + d.PreviousObject + ", is missing"
	case d.PreviousHash != before.hash || d.PreviousSignature != before.signature:
		return "the digest before it is another than it was"
	case d.StartTime.After(before.EndTime):
		return "there is a gap after " + before.EndTime.UTC().Format(time.RFC3339)
	}
	return ""
}

// files gives f the files of d.
func (t Trail) files(ctx context.Context, d *document, r *Report, f func(File) error) error {
	for _, l := range d.Files {
		raw, _, err := t.Objects.Read(ctx, l.Bucket, l.Object)
		if errors.Is(err, ErrNotFound) {
			r.Problems = append(r.Problems, l.Object+": the file is missing")
			continue
		}
		if err != nil {
			return fmt.Errorf("read file: %w", err)
		}
		data, err := inflate(raw)
		switch {
		case l.Algorithm != "SHA-256":
			r.Problems = append(r.Problems, l.Object+": the file's hash is of a kind that is not known")
			continue
		case err != nil || digestOf(data) != l.Hash:
			r.Problems = append(r.Problems, l.Object+": the file is another than it was")
			continue
		}
		r.Files++
		if err := f(File{Key: l.Object, Data: data}); err != nil {
			return err
		}
	}
	return nil
}

func inflate(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, maxInflated+1))
	if err == nil && len(out) > maxInflated {
		err = errors.New("too large")
	}
	return out, err
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
