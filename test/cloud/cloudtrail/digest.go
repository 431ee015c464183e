package cloudtrail

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// hour is an hour's files, of which its digest leaves some out.
type hour struct {
	begin, end time.Time
	files      []file
}

// previous is the digest before the next one of a chain; zero: there is none.
type previous struct{ key, hash, signature string }

// document is a digest.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
type document struct {
	Account            string  `json:"awsAccountId"`
	StartTime          string  `json:"digestStartTime"`
	EndTime            string  `json:"digestEndTime"`
	Bucket             string  `json:"digestS3Bucket"`
	Object             string  `json:"digestS3Object"`
	Fingerprint        string  `json:"digestPublicKeyFingerprint"`
	SignatureAlgorithm string  `json:"digestSignatureAlgorithm"`
	Newest             *string `json:"newestEventTime"`
	Oldest             *string `json:"oldestEventTime"`
	PreviousBucket     *string `json:"previousDigestS3Bucket"`
	PreviousObject     *string `json:"previousDigestS3Object"`
	PreviousHash       *string `json:"previousDigestHashValue"`
	PreviousAlgorithm  *string `json:"previousDigestHashAlgorithm"`
	PreviousSignature  *string `json:"previousDigestSignature"`
	Files              []entry `json:"logFiles"`
}

type entry struct {
	Bucket    string `json:"s3Bucket"`
	Object    string `json:"s3Object"`
	Hash      string `json:"hashValue"`
	Algorithm string `json:"hashAlgorithm"`
	Newest    string `json:"newestEventTime"`
	Oldest    string `json:"oldestEventTime"`
}

const (
	sha256Name = "SHA-256"
	signedWith = "SHA256withRSA"
	stamp      = "20060102T150405Z"
)

// end is when the hour of the next digest ends.
func (d *deliverer) end() time.Time { return d.began.Add(time.Hour) }

// digest writes the digest of the hour that ends at a time, and the backfill digest of
// the hour before.
func (d *deliverer) digest(at time.Time) {
	full := hour{begin: d.began, end: at}
	left := hour{begin: d.began, end: at}
	for _, f := range d.files {
		if d.random.IntN(100) < d.how.Backfill {
			left.files = append(left.files, f)
			continue
		}
		full.files = append(full.files, f)
	}
	d.began, d.files = at, nil
	if d.how.NoDigests {
		return
	}
	d.sign(full, at, "", &d.chain)
	for _, h := range d.missed {
		d.sign(h, at, "_backfill", &d.backfill)
	}
	d.missed = nil
	if len(left.files) > 0 {
		d.missed = append(d.missed, left)
	}
}

// sign writes the digest of an hour's files as the next of a chain.
func (d *deliverer) sign(h hour, at time.Time, suffix string, chain *previous) {
	k, err := d.service.signing.key(at)
	if err != nil {
		panic(err) // the random source ran dry
	}
	name := d.trail.Name + "_" + d.trail.home() + "_" + h.end.Format(stamp) + suffix
	doc := document{
		Account: wire.Account, StartTime: h.begin.Format(time.RFC3339), EndTime: h.end.Format(time.RFC3339),
		Bucket: d.trail.Bucket, Object: d.key("CloudTrail-Digest", h.end, name), Fingerprint: k.fingerprint, SignatureAlgorithm: signedWith, Files: []entry{},
	}
	signed := "null"
	if chain.key != "" {
		doc.PreviousBucket, doc.PreviousObject, doc.PreviousAlgorithm = &doc.Bucket, new(chain.key), new(sha256Name)
		doc.PreviousHash, doc.PreviousSignature = new(chain.hash), new(chain.signature)
		signed = chain.signature
	}
	var oldest, newest time.Time
	for _, f := range h.files {
		doc.Files = append(doc.Files, entry{doc.Bucket, f.key, f.hash, sha256Name, f.newest.Format(time.RFC3339), f.oldest.Format(time.RFC3339)})
		if oldest.IsZero() || f.oldest.Before(oldest) {
			oldest = f.oldest
		}
		if f.newest.After(newest) {
			newest = f.newest
		}
	}
	if len(h.files) > 0 {
		doc.Oldest, doc.Newest = new(oldest.Format(time.RFC3339)), new(newest.Format(time.RFC3339))
	}
	data, err := json.Marshal(doc)
	if err != nil {
		panic(err) // texts only
	}
	sum := sha256.Sum256([]byte(doc.EndTime + "\n" + doc.Bucket + "/" + doc.Object + "\n" + hash(data) + "\n" + signed))
	raw, err := rsa.SignPKCS1v15(nil, k.private, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // the key is long enough
	}
	meta := map[string]string{"signature": hex.EncodeToString(raw), "signature-algorithm": signedWith}
	if suffix != "" {
		meta["backfill-generation-timestamp"] = at.Format(time.RFC3339)
	}
	if d.put(doc.Object, at, data, meta) {
		*chain = previous{doc.Object, hash(data), meta["signature"]}
	}
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
