package cloud_test

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/test/cloud"
)

func TestOldCallsAndRecordsAreForgotten(t *testing.T) {
	t.Parallel()
	const most = 20
	c := cloud.New(cloud.Options{Keep: most})
	t.Cleanup(c.Close)
	client := sm.NewFromConfig(c.Config())
	for i := range 3 * most {
		if _, err := client.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String(strconv.Itoa(i))}); err != nil {
			t.Fatal(err)
		}
		calls, records := c.Calls(), c.Trail()
		if len(calls) > most || len(records) > most || i >= most && len(calls) < most*9/10 {
			t.Fatalf("after %d calls there are %d, and %d records", i+1, len(calls), len(records))
		}
		if last := calls[len(calls)-1]; last.Seq != i+1 || last.Target != strconv.Itoa(i) || !last.Done {
			t.Fatalf("the last of %d calls is %+v", i+1, last)
		}
	}
}
