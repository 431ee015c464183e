// Package real holds the tests against software that nobody here wrote: the
// real Gitea server, and Debian's AWS clients on the local AWS. Run them with
// `make test-real`; they have the build tag `real`.
package real
