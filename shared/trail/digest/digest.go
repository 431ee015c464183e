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
	"encoding/binary"
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
	Files             []entry   `json:"logFiles"`

	signature string
	hash      string
	endText   string
}

// entry names a file.
type entry struct {
	Bucket    string `json:"s3Bucket"`
	Object    string `json:"s3Object"`
	Hash      string `json:"hashValue"`
	Algorithm string `json:"hashAlgorithm"`
}

const stamp = "20060102T150405Z"

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

// at is the end that the name of a digest says, if it is one of this trail, and
// whether it is a backfill.
func (t Trail) at(key string) (end time.Time, backfill, ok bool) {
	rest, ok := strings.CutPrefix(path.Base(key), t.base())
	if !ok {
		return time.Time{}, false, false
	}
	rest, backfill = strings.CutSuffix(rest, backfillEnd)
	if backfill {
		rest += ".json.gz"
	}
	at, err := time.Parse(stamp+".json.gz", rest)
	want := t.key(at)
	if backfill {
		want = strings.TrimSuffix(want, ".json.gz") + backfillEnd
	}
	return at, backfill, err == nil && key == want
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
	if at, _, ok := t.at(key); !ok || !at.Equal(d.EndTime) {
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

// follows says how d does not follow the digest before it, zero if there was none.
func (d *document) follows(before Link, end time.Time) string {
	switch {
	case before == Link{}:
		return ""
	case d.PreviousObject == "":
		return "a new chain begins: the trail was stopped, or changed"
	case d.PreviousObject != before.Object:
		return "the digest before it, " + d.PreviousObject + ", is missing"
	case d.PreviousHash != before.Hash || d.PreviousSignature != before.Signature:
		return "the digest before it is another than it was"
	case d.StartTime.After(end):
		return "there is a gap after " + end.UTC().Format(time.RFC3339)
	}
	return ""
}

func (d *document) link() Link { return Link{d.Object, d.hash, d.signature} }

func inflate(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	// The last four bytes say how long it will be: a buffer that grows has twice that.
	size := min(int(binary.LittleEndian.Uint32(data[len(data)-4:])), maxInflated)
	out := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	n, err := out.ReadFrom(io.LimitReader(z, maxInflated+1))
	if err == nil && n > maxInflated {
		err = errors.New("too large")
	}
	return out.Bytes(), err
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
