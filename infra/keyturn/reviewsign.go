package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/shared/audit"
	auditsqs "github.com/keyturn/keyturn/shared/audit/sqs"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
)

// signOffFlags are those of keyturn review sign-off.
type signOffFlags struct {
	ledgerFlags
	review, decision, reason, each, ledger, queue string
}

func (a *app) reviewSignOff() *cobra.Command {
	var s signOffFlags
	c := &cobra.Command{
		Use:   "sign-off --review FILE --decision DECISION --reason TEXT",
		Short: "Say that you have read a review, and what was decided",
		Long: `Sign off a review of the review function. --review is its page, review.html, or
the page's SHA-256: a page whose hash is not in the ledger is refused. The entry
in the ledger says who sent it, as AWS vouches for it, and the next page shows
it. It needs sqs:SendMessage on the audit queue, and what keyturn ledger verify
needs.

--each is a file with a decision about one finding on each line, such as
  prod/mailer removal: role old loses the right, ticket 17`,
		Example: `  keyturn review sign-off --review review.html --decision accepted \
    --reason "read with the shop's team" --ledger s3://ledger --key ledger.pub`,
		Args: noArgs,
	}
	f := c.Flags()
	f.StringVar(&s.review, "review", "", "`FILE` with the page, or its SHA-256")
	f.StringVar(&s.decision, "decision", "", "`DECISION`: accepted or rejected")
	f.StringVar(&s.reason, "reason", "", "why, as `TEXT` of at most 500 characters")
	f.StringVar(&s.each, "each", "", "`FILE` with decisions about single findings")
	f.StringVar(&s.ledger, "ledger", "", "`DIR` or s3://BUCKET/PREFIX of the ledger")
	f.StringVar(&s.key, "key", "", "the log's verifier `KEY`, NAME+HASH+BASE64, or a file with it (KEYTURN_LEDGER_KEY)")
	f.StringVar(&s.queue, "queue", "", "`NAME` of the audit queue (else the keys' file's name with -audit)")
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, _ []string) error { return a.runSignOff(c.Context(), s) })
}

// maxEach is what the decisions about single findings may have in bytes: the entry has
// to fit into the ledger.
const maxEach = 5000

func (a *app) runSignOff(ctx context.Context, s signOffFlags) error {
	s.reason = strings.TrimSpace(s.reason)
	if err := s.check(); err != nil {
		return err
	}
	sum, err := pageSum(s.review)
	if err != nil {
		return err
	}
	each, err := a.eachDecision(s.each)
	if err != nil {
		return err
	}
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	report, err := a.reviewInLedger(ctx, s, sum)
	if err != nil {
		return err
	}
	queue, name, err := a.auditQueue(ctx, c, s.queue)
	if err != nil {
		return err
	}
	r := audit.Record{Time: c.clock.Now().UTC().Truncate(time.Second), Act: audit.SignOff, Phase: audit.Fact, Detail: map[string]string{
		"sha256": sum, "report": report, "decision": s.decision, "note": s.reason, "each": each, "by": requester(ctx, c),
	}}
	// The same word twice is one entry.
	said := sha256.Sum256([]byte(strings.Join([]string{sum, s.decision, s.reason, each}, "\x00")))
	r.ID = "sign-off-" + hex.EncodeToString(said[:16])
	if err := auditsqs.Open(c.cfg, queue).Record(ctx, r); err != nil {
		return failed(typeAWS, err.Error(), "it may not be recorded: run the command again, which records it once", "you need sqs:SendMessage on "+name)
	}
	if a.flags.json {
		a.printJSON(map[string]string{"status": "sent", "id": r.ID, "sha256": sum, "report": report, "decision": s.decision})
		return nil
	}
	a.say("sent: %s is %s; the ledger has it within minutes, and the next page shows it", report, s.decision)
	return nil
}

func (s *signOffFlags) check() error {
	switch {
	case s.review == "" || s.ledger == "":
		return usage("which review, and which ledger?", "keyturn review sign-off --review review.html --ledger s3://BUCKET/PREFIX --decision accepted --reason TEXT")
	case s.decision != "accepted" && s.decision != "rejected":
		return usage("what was decided?", "--decision accepted, or --decision rejected")
	case s.reason == "" || !short(s.reason):
		return usage("a sign-off needs a reason of at most 500 characters on one line", `--reason "read with the shop's team"`)
	}
	return nil
}

// auditQueue returns the queue's URL, and its name: the one of the keys' file, where
// nobody says another.
func (a *app) auditQueue(ctx context.Context, c *connection, name string) (url, found string, err error) {
	if name == "" {
		if _, err := os.Stat(a.source()); err == nil && !isJSON(a.source()) {
			if _, err := a.keysFile(); err != nil {
				return "", "", err
			}
		}
		name = a.installation() + "-audit"
	}
	queue, err := sqs.NewFromConfig(c.cfg).GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return "", "", described(ctx, err)
	}
	return aws.ToString(queue.QueueUrl), name, nil
}

// sha256Form is a SHA-256 in hexadecimal digits.
var sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)

// pageSum returns the SHA-256 of the page in a file, or the one that is given.
func pageSum(review string) (string, error) {
	if sha256Form.MatchString(review) {
		return review, nil
	}
	page, err := os.ReadFile(review) //nolint:gosec // G304: the operator says which file
	if err != nil {
		return "", failed("File", "the page cannot be read: "+err.Error(), "aws s3 cp s3://BUCKET/review/YEAR-Www/review.html .")
	}
	sum := sha256.Sum256(page)
	return hex.EncodeToString(sum[:]), nil
}

func (a *app) eachDecision(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	data, err := a.readFile(path)
	if err != nil {
		return "", err
	}
	lines := slices.DeleteFunc(strings.Split(string(data), "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
	for i, l := range lines {
		if lines[i] = strings.TrimSpace(l); !strings.Contains(l, ": ") {
			return "", usage("a line of --each has no decision: "+l, "prod/mailer removal: role old loses the right")
		}
	}
	each := strings.Join(lines, "\n")
	if len(each) > maxEach {
		return "", usage("--each has more than 5000 bytes", "sign off several times, with some of them each")
	}
	return each, nil
}

// reviewInLedger returns where the page is, as the ledger says. Each entry that is read
// is proven.
func (a *app) reviewInLedger(ctx context.Context, s signOffFlags, sum string) (string, error) {
	v, err := a.verifier(s.ledgerFlags)
	if err != nil {
		return "", err
	}
	store, end, err := a.openLedger(ctx, s.ledger)
	if err != nil {
		return "", err
	}
	defer end()
	checkpoint, err := ledger.Latest(ctx, store, v)
	report, found := "", false
	if err == nil {
		err = ledger.Backwards(ctx, store, checkpoint, func(_ int64, line []byte) (bool, error) {
			if e, err := ledger.Decode(line); err == nil {
				f, err := history.Of(e)
				if found = err == nil && f.Act != nil && f.Act.Act == audit.Review && f.Act.Detail["sha256"] == sum; found {
					report = f.Act.Detail["report"]
				}
			}
			return !found, nil
		})
	}
	if err != nil {
		return "", ledgerFailure(ctx, err)
	}
	if !found {
		return "", failed(typeLedger, "the ledger has no review whose page has SHA-256 "+sum,
			"take the page as it is in the bucket: a page that keyturn review made for you is not one of the function's",
			"of a review that was made just now, wait some minutes")
	}
	return report, nil
}
