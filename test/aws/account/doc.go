// Package account is `make test-aws`: it deploys a small installation to an
// operator's own AWS account, rotates a key in it, checks who is locked out,
// records how AWS answers the probes, and removes all of it.
//
// It ships unrun: nobody has run it on AWS yet. What can be tested without AWS,
// is: the guard, what the cleanup takes, the probes and the keys' file, in the
// packages beside this one.
//
// It needs credentials of an administrator of the account that
// KEYTURN_TEST_AWS_ACCOUNT names, in the Region of KEYTURN_TEST_AWS_REGION, where
// the CDK is bootstrapped, and npm. Its tests have the build tag aws.
package account
