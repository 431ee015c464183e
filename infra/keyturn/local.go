package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

func (a *app) local() *cobra.Command {
	var listen string
	var unsafe bool
	c := &cobra.Command{
		Use:   "local",
		Short: "Serve a local AWS to try things on, until interrupted",
		Long: `Serve a local AWS until interrupted: Secrets Manager with rotation, Lambda, SNS,
SQS, DynamoDB, EventBridge Scheduler, STS, CloudTrail with a trail, and Systems
Manager's parameters, as far as Keyturn uses them. SDKs and the aws command work
on it with its endpoint URL. All is in memory and gone at the end; it checks no
credentials.

Besides AWS it answers programs on this machine, in JSON, without a signature:

  GET    /_local/clock        the local AWS's time
  POST   /_local/clock        move it: {"advance":"720h"}
                              or {"to":"2027-01-01T00:00:00Z"}
  GET    /_local/calls        the last calls
                              ?service= &operation= &target= &after=SEQ
  GET    /_local/faults       what fails on purpose
  POST   /_local/faults       {"effect":"throttle"} and which calls: service,
                              operation, nth, count; code, message, status;
                              effects: fail-before, fail-after, drop-before,
                              drop-after, hang, hang-after, throttle, stale
  DELETE /_local/faults[/ID]  remove all of them, or one
  GET    /_local/inbox/TOPIC  all that was published to an SNS topic
  GET    /_local/events       the last events on EventBridge's default bus

It listens on loopback addresses only, for whoever reaches it can run programs
on this machine. With --unsafe-listen it takes any address.`,
		Example: `  keyturn local
  keyturn local --listen 127.0.0.1:4566
  curl -d '{"advance":"720h"}' http://127.0.0.1:4566/_local/clock`,
		Args: noArgs,
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "`ADDRESS` and port; port 0 takes a free one")
	c.Flags().BoolVar(&unsafe, "unsafe-listen", false, "allow an address, and callers, that are not on loopback")
	return command(c, func(c *cobra.Command, _ []string) error { return a.runLocal(c.Context(), listen, unsafe) })
}

func (a *app) runLocal(ctx context.Context, address string, unsafe bool) error {
	r := region.New(region.Options{Cloud: cloud.Options{Unsafe: unsafe}})
	r.CloudTrail.SetTrails(cloudtrail.Trail{Name: "local", MultiRegion: true})
	err := a.serve(ctx, r, address, unsafe)
	if closed := r.Close(); closed != nil && err == nil { // it ends the functions' processes
		err = failed("Listen", closed.Error(), "look for processes that are left: ps")
	}
	return err
}

func (a *app) serve(ctx context.Context, r *region.Region, address string, unsafe bool) error {
	l, err := r.Listen(ctx, address)
	if err != nil {
		return failed("Listen", err.Error(), "take a free port on loopback: keyturn local --listen 127.0.0.1:0")
	}
	endpoint := r.Endpoint()
	if a.flags.json {
		a.printJSON(map[string]string{"endpoint": endpoint, "region": wire.Region, "account": wire.Account})
	} else {
		a.say("listening on %s", endpoint)
		// boto3 reads the other variable for the Region, and an old aws command
		// no variable for the endpoint.
		a.say("export AWS_ENDPOINT_URL=%[1]s AWS_REGION=%[2]s AWS_DEFAULT_REGION=%[2]s AWS_ACCESS_KEY_ID=%[3]s AWS_SECRET_ACCESS_KEY=%[4]s",
			endpoint, wire.Region, cloud.AccessKey, cloud.SecretKey)
		a.say(`aws --endpoint-url %s secretsmanager create-secret --name demo --secret-string '{"apiKey":"made up"}'`, endpoint)
		a.say("aws --endpoint-url %s secretsmanager describe-secret --secret-id demo", endpoint)
	}
	if unsafe {
		a.printFailure(failed("", "whoever reaches "+endpoint+" can run programs on this machine", "stop it when you are done: Ctrl-C"))
	}
	if err := r.Serve(ctx, l); err != nil {
		return failed("Listen", err.Error(), "start it again: keyturn local")
	}
	return nil
}
