package preflight

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"

	"github.com/keyturn/keyturn/shared/awserror"
)

// sweepPrefix begins the name of the schedule that each vendor account has.
const sweepPrefix = "sweep-"

// left looks for vendor accounts that are deployed, and not in the file any
// more. The CDK's command leaves the stacks alone that the app does not name.
func (p *Preflight) left(ctx context.Context) (all []Check) {
	const subject = "vendor accounts"
	pages := scheduler.NewListSchedulesPaginator(p.schedules, &scheduler.ListSchedulesInput{GroupName: &p.file.Name, NamePrefix: aws.String(sweepPrefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if awserror.Code(err) == "ResourceNotFoundException" {
			return nil // not deployed yet
		}
		if err != nil {
			return append(all, unseen(subject, err))
		}
		for _, s := range page.Schedules {
			name := strings.TrimPrefix(aws.ToString(s.Name), sweepPrefix)
			if _, known := p.file.VendorAccounts[name]; known {
				continue
			}
			all = append(all, warning("vendor account "+name, "it is not in the file, and its functions are still deployed and run every hour: a deployment does not remove them",
				"deploy, so that the schedules of its keys go first; then: aws cloudformation delete-stack --stack-name "+p.file.Name+"-vendor-"+name))
		}
	}
	return all
}
