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
	w := walk{s.CloudTrail, at.Through.UTC().Truncate(time.Second), r, f}
	if err := w.young(to.UTC().Add(time.Hour - History).Truncate(time.Second)); err != nil {
		return err
	}
	to = to.UTC().Add(-Settled).Truncate(time.Second)
	for w.from.Before(to) {
		if err := w.slice(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

// walk is one call of Walk.
type walk struct {
	cloudTrail CloudTrail
	from       time.Time // of the slice
	at         rest
	f          func(trail.Step) error
}

// young leaves out what is older than the history.
func (w *walk) young(oldest time.Time) error {
	if !w.from.Before(oldest) {
		return nil
	}
	problem := "events before " + oldest.Format(time.RFC3339) + " cannot be looked up any more: those since " + w.from.Format(time.RFC3339) + " were not compared"
	w.from, w.at = oldest, rest{}
	return w.f(trail.Step{Name: "history", Problem: problem, Next: trail.Position{Through: w.from}})
}

// slice asks all questions of the next slice.
func (w *walk) slice(ctx context.Context, to time.Time) error {
	if w.at.End.IsZero() {
		w.at.End = w.from.Add(slice)
		if w.at.End.After(to) {
			w.at.End = to
		}
	}
	for w.at.Question < len(questions()) {
		if err := w.ask(ctx); err != nil {
			return err
		}
		w.at = rest{End: w.at.End, Question: w.at.Question + 1}
	}
	w.from, w.at = w.at.End, rest{}
	return w.f(trail.Step{Name: "history", Next: trail.Position{Through: w.from}})
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
func (w *walk) ask(ctx context.Context) error {
	if w.at.Token == "" {
		w.at.Asked = w.at.End.Add(-time.Second)
		if !w.at.Newest.IsZero() {
			w.at.Asked = w.at.Newest
		}
	}
	for {
		page, err := w.page(ctx)
		if err != nil {
			return err
		}
		if err := w.give(page); err != nil {
			return err
		}
		if err := wait(ctx); err != nil || w.at.Token == "" {
			return err
		}
	}
}

// page asks for the next page, and again by time where its token is too old.
func (w *walk) page(ctx context.Context) ([]types.Event, error) {
	for {
		in := &cloudtrail.LookupEventsInput{
			LookupAttributes: questions()[w.at.Question : w.at.Question+1], StartTime: &w.from, EndTime: &w.at.Asked, MaxResults: aws.Int32(50),
		}
		if w.at.Token != "" {
			in.NextToken = &w.at.Token
		}
		out, err := w.cloudTrail.LookupEvents(ctx, in)
		if _, old := errors.AsType[*types.InvalidNextTokenException](err); old && w.at.Token != "" {
			w.at.Token, w.at.Asked = "", w.at.Newest
			continue
		}
		if err != nil {
			return nil, awserror.Safe("LookupEvents", err)
		}
		w.at.Token = aws.ToString(out.NextToken)
		return out.Events, nil
	}
}

// give gives a page, and where to go on after it.
func (w *walk) give(page []types.Event) error {
	for _, e := range page {
		if at := aws.ToTime(e.EventTime); !at.IsZero() && (w.at.Newest.IsZero() || at.Before(w.at.Newest)) {
			w.at.Newest = at.UTC().Truncate(time.Second)
		}
	}
	if len(page) == 0 {
		return nil
	}
	next := w.at
	if w.at.Token == "" {
		next = rest{End: w.at.End, Question: w.at.Question + 1}
	}
	data, err := json.Marshal(next)
	if err != nil {
		return errors.New("CloudTrail said a time that JSON does not know")
	}
	return w.f(trail.Step{
		Name: "history until " + w.at.Asked.Format(time.RFC3339), Data: records(page), Next: trail.Position{Through: w.from, Rest: data},
	})
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
