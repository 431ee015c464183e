package s3

import (
	"net/http"
	"slices"
)

// subresources are the query parameters that name another operation on the same address.
func subresources() []string {
	return []string{
		"accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory",
		"legal-hold", "lifecycle", "location", "logging", "metadataConfiguration", "metrics", "notification", "object-lock",
		"ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment",
		"restore", "retention", "select", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
	}
}

// operation names what r asks for, "" if this is not modeled.
func operation(r *http.Request, bucket, key string) string {
	q := r.URL.Query()
	name := ""
	all := subresources()
	if i := slices.IndexFunc(all, q.Has); i >= 0 {
		name = all[i]
	}
	switch {
	case bucket == "":
		return map[string]string{"GET": "ListBuckets"}[r.Method+name]
	case key == "":
		if r.Method == http.MethodGet && name == "" && q.Get("list-type") == "2" {
			return "ListObjectsV2"
		}
		return map[string]string{
			"PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket", "POST?delete": "DeleteObjects",
			"GET?location": "GetBucketLocation", "GET?versions": "ListObjectVersions",
			"GET?versioning": "GetBucketVersioning", "PUT?versioning": "PutBucketVersioning",
			"GET?policy": "GetBucketPolicy", "PUT?policy": "PutBucketPolicy", "DELETE?policy": "DeleteBucketPolicy",
			"GET?object-lock": "GetObjectLockConfiguration", "PUT?object-lock": "PutObjectLockConfiguration",
		}[r.Method+mark(name)]
	case r.Header.Get("X-Amz-Copy-Source") != "":
		return "" // CopyObject
	}
	return map[string]string{
		"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject",
		"GET?tagging": "GetObjectTagging", "GET?retention": "GetObjectRetention", "PUT?retention": "PutObjectRetention",
		"GET?legal-hold": "GetObjectLegalHold", "PUT?legal-hold": "PutObjectLegalHold",
	}[r.Method+mark(name)]
}

func mark(name string) string {
	if name == "" {
		return ""
	}
	return "?" + name
}
