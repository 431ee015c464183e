// Package lookup reads CloudTrail's event history, where no trail's files can be read.
//
// What it cannot do: nothing proves that the history is whole. It has management
// events of one Region and of the last 90 days, some minutes late; two requests a
// second of up to 50 events are all that an account has, so that a busy account's may
// fall behind. Of services other than Secrets Manager only calls that change something
// are looked up, for it takes one condition: denied reads of theirs are not seen.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
package lookup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/trail"
)

const (
	// History is how far back events can be looked up.
	History = 90 * 24 * time.Hour
	// Settled is how old an event is by when it can be looked up, with room: CloudTrail
	// says that most are there within 5 minutes, and does not promise it.
	Settled = 30 * time.Minute
	// Pace is the shortest time between two requests: half of what an account has,
	// which people's consoles need too.
	Pace = time.Second

	slice = time.Hour // of which all questions are asked before the next
)

// CloudTrail is what a [Source] needs of the client.
type CloudTrail interface {
	LookupEvents(context.Context, *cloudtrail.LookupEventsInput, ...func(*cloudtrail.Options)) (*cloudtrail.LookupEventsOutput, error)
}

// Source is the event history of the client's account and Region.
type Source struct{ CloudTrail CloudTrail }

// questions are what is asked of each slice.
func questions() []types.LookupAttribute {
	return []types.LookupAttribute{
		{AttributeKey: types.LookupAttributeKeyEventSource, AttributeValue: aws.String(trail.SecretsManager)},
		{AttributeKey: types.LookupAttributeKeyReadOnly, AttributeValue: aws.String("false")},
	}
}

// rest is where in a slice a walk is. The zero value is at its beginning.
type rest struct {
	End      time.Time `json:"end"`      // of the slice, which does not have it
	Question int       `json:"question"` // that is being asked
	Newest   time.Time `json:"newest"`   // what is newer was given; zero: nothing was
	// Token is of the page that comes next, and Asked the end that it belongs to.
	Token string    `json:"token,omitempty"`
	Asked time.Time `json:"asked"`
}

// Walk goes on at a position, with what was recorded until [Settled] before to. Each
// step has a page; within a slice the newest come first. Where CloudTrail no longer takes
// a page's token, events of one second come again. Events that are older than [History]
// are a problem.
func (s *Source) Walk(ctx context.Context, at trail.Position, to time.Time, f func(trail.Step) error) error {
	r, err := read(at)
	if err != nil {
		return err
	}
	from, to := at.Through.UTC().Truncate(time.Second), to.UTC().Add(-Settled).Truncate(time.Second)
	oldest := to.Add(Settled - History).Add(time.Hour)
	if from.Before(oldest) {
		problem := "events before " + oldest.Format(time.RFC3339) + " cannot be looked up any more: those since " + from.Format(time.RFC3339) + " were not compared"
		from, r = oldest, rest{}
		if err := f(trail.Step{Name: "history", Problem: problem, Next: trail.Position{Through: from}}); err != nil {
			return err
		}
	}
	for from.Before(to) {
		if r.End.IsZero() {
			r.End = from.Add(slice)
			if r.End.After(to) {
				r.End = to
			}
		}
		for r.Question < len(questions()) {
			if err := s.ask(ctx, from, r, f); err != nil {
				return err
			}
			r = rest{End: r.End, Question: r.Question + 1}
		}
		from, r = r.End, rest{}
		if err := f(trail.Step{Name: "history", Next: trail.Position{Through: from}}); err != nil {
			return err
		}
	}
	return nil
}

func read(at trail.Position) (rest, error) {
	var r rest
	if len(at.Rest) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(at.Rest, &r); err != nil {
		return r, errors.New("how far the history was read is not as it was stored")
	}
	return r, nil
}

// ask gives the pages of one question about a slice.
func (s *Source) ask(ctx context.Context, from time.Time, r rest, f func(trail.Step) error) error {
	if r.Token == "" {
		r.Asked = r.End.Add(-time.Second)
		if !r.Newest.IsZero() {
			r.Asked = r.Newest
		}
	}
	for {
		in := &cloudtrail.LookupEventsInput{
			LookupAttributes: questions()[r.Question : r.Question+1], StartTime: &from, EndTime: &r.Asked, MaxResults: aws.Int32(50),
		}
		if r.Token != "" {
			in.NextToken = &r.Token
		}
		out, err := s.CloudTrail.LookupEvents(ctx, in)
		if _, old := errors.AsType[*types.InvalidNextTokenException](err); old && r.Token != "" {
			r.Token, r.Asked = "", r.Newest
			continue
		}
		if err != nil {
			return awserror.Safe("LookupEvents", err)
		}
		for _, e := range out.Events {
			if e.EventTime != nil && (r.Newest.IsZero() || e.EventTime.Before(r.Newest)) {
				r.Newest = e.EventTime.UTC().Truncate(time.Second)
			}
		}
		r.Token = aws.ToString(out.NextToken)
		if len(out.Events) > 0 {
			next := r
			if r.Token == "" {
				next = rest{End: r.End, Question: r.Question + 1}
			}
			if err := f(trail.Step{Name: "history until " + r.Asked.Format(time.RFC3339), Data: records(out.Events), Next: write(from, next)}); err != nil {
				return err
			}
		}
		if err := wait(ctx); err != nil || r.Token == "" {
			return err
		}
	}
}

func write(from time.Time, r rest) trail.Position {
	data, _ := json.Marshal(r) //nolint:errchkjson // times that CloudTrail said
	return trail.Position{Through: from, Rest: data}
}

// records is a file of events, as a trail would have it.
func records(events []types.Event) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Records":[`)
	for i, e := range events {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(aws.ToString(e.CloudTrailEvent))
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func wait(ctx context.Context) error {
	timer := time.NewTimer(Pace)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
