// Package sts is a local AWS Security Token Service that tells callers who
// they are. It checks no signature and grants nothing.
//
// See https://docs.aws.amazon.com/STS/latest/APIReference/.
package sts
