// Package real holds the tests against software that nobody here wrote: real
// servers whose keys are rotated, and Debian's AWS clients on the local AWS.
// Run them with `make test-real`; they have the build tag `real`.
package real
