// Package awsclock learns two things from AWS's answers: what time it is there,
// and how many calls were made.
package awsclock

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	// tolerance is what a difference must exceed for certain to count.
	tolerance = 2 * time.Second
	// slow is how long a call may take for its Date to be worth anything.
	slow = 10 * time.Second
)

// Clock tells AWS's time, so that a machine with a wrong clock does not shorten
// a grace. Use [New]; a Clock is safe for concurrent use.
type Clock struct {
	local  func() time.Time
	offset atomic.Int64 // nanoseconds that AWS is ahead of local
}

// New returns a Clock that agrees with local until AWS has answered.
func New(local func() time.Time) *Clock { return &Clock{local: local} }

// Now returns AWS's time in UTC, as far as it is known.
func (c *Clock) Now() time.Time { return c.local().Add(c.Offset()).UTC() }

// Offset returns how far AWS is ahead of the local clock; 0 while the two agree
// within 2 s.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }

// Watch makes the clients of cfg teach c, and count their calls for [Counting].
func (c *Clock) Watch(cfg *aws.Config) {
	cfg.APIOptions = append(cfg.APIOptions, func(s *middleware.Stack) error {
		// Before: outermost of this step, which runs once for each sending.
		return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("keyturn.Watch", c.watch), middleware.Before)
	})
}

func (c *Clock) watch(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	if n, ok := ctx.Value(callsKey{}).(*Calls); ok {
		n.add(Call{Service: awsmiddleware.GetServiceID(ctx), Operation: awsmiddleware.GetOperationName(ctx)})
	}
	sent := c.local()
	out, md, err := next.HandleDeserialize(ctx, in)
	if res, ok := out.RawResponse.(*smithyhttp.Response); ok && res != nil && res.Response != nil {
		c.learn(res.Header, sent, c.local())
	}
	return out, md, err
}

// learn takes the time from one answer. AWS wrote Date between sent and
// received, and it names the whole second.
func (c *Clock) learn(h http.Header, sent, received time.Time) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || h.Get("Age") != "" || received.Sub(sent) > slow {
		return
	}
	least, most := date.Sub(received), date.Add(time.Second).Sub(sent)
	ahead := (least + most) / 2
	if least <= tolerance && most >= -tolerance {
		ahead = 0
	}
	c.offset.Store(int64(ahead))
}
