package lab

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/test/cloud/sns"
)

// prefix is the path of the API on the local AWS, which is for programs on this machine.
const prefix = "/_lab/"

// longest is how much time may pass at once.
const longest = 30 * 24 * time.Hour

// waited is what Wait is told and answers.
type waited struct {
	For string    `json:"for,omitempty"`
	Now time.Time `json:"now,omitzero"`
}

// byName is what is asked for.
type byName struct {
	Name string `json:"name,omitempty"`
	Keep bool   `json:"keep,omitempty"`
	Undo bool   `json:"undo,omitempty"`
}

// Mail is the text of messages.
type Mail struct {
	Messages int    `json:"messages"`
	Text     string `json:"text"`
}

// refused is what is wrong with a request.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return r.text }

func (s *Session) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(*http.Request, byName) (any, error){
		"GET check":   func(r *http.Request, _ byName) (any, error) { return s.Check(r.Context()), nil },
		"POST hint":   s.giveHint,
		"GET mail":    s.giveMail,
		"GET vendor":  func(*http.Request, byName) (any, error) { return s.VendorKeys(), nil },
		"POST revoke": s.takeRevoke,
		"POST admin": func(*http.Request, byName) (any, error) {
			return map[string]string{"apiKey": s.NewAdmin().Reveal()}, nil
		},
		"POST block":   s.takeBlock,
		"POST deploy":  s.takeDeploy,
		"POST end":     s.takeEnd,
		"POST wait":    s.takeWait,
		"GET scenario": func(*http.Request, byName) (any, error) { return map[string]string{"scenario": s.Scenario()}, nil },
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+prefix+path, func(w http.ResponseWriter, r *http.Request) {
			var in byName
			err := read(r, &in)
			var out any
			if err == nil {
				out, err = h(r, in)
			}
			answer(w, out, err)
		})
	}
	return mux
}

func read(r *http.Request, in *byName) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err == nil && len(b) > 0 {
		err = json.Unmarshal(b, in)
	}
	if err != nil {
		return &refused{http.StatusBadRequest, "the body is not what this takes"}
	}
	return nil
}

func answer(w http.ResponseWriter, out any, err error) {
	status := http.StatusOK
	if err != nil {
		status = http.StatusInternalServerError
		if r, ok := errors.AsType[*refused](err); ok {
			status = r.status
		}
		out = map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) //nolint:errchkjson // it is the last thing there is to do
}

func (s *Session) giveHint(r *http.Request, _ byName) (any, error) {
	h, ok := s.Hint(r.Context())
	if !ok {
		return nil, &refused{http.StatusNotFound, "there is no more hint"}
	}
	return h, nil
}

func (s *Session) giveMail(*http.Request, byName) (any, error) {
	all := s.Mail()
	var b strings.Builder
	if err := sns.Render(&b, all); err != nil {
		return nil, err
	}
	return Mail{len(all), b.String()}, nil
}

func (s *Session) takeRevoke(r *http.Request, in byName) (any, error) {
	found, err := s.Revoke(r.Context(), in.Name)
	if err == nil && !found {
		err = &refused{http.StatusNotFound, "the vendor has no key " + in.Name}
	}
	return in, err
}

func (s *Session) takeBlock(_ *http.Request, in byName) (any, error) {
	if !s.Block(in.Name, in.Undo) {
		return nil, &refused{http.StatusNotFound, "there is no role " + in.Name}
	}
	return in, nil
}

func (s *Session) takeDeploy(r *http.Request, in byName) (any, error) {
	err := s.Deploy(r.Context())
	if bad, ok := errors.AsType[*keysfile.Error](err); ok {
		err = &refused{http.StatusConflict, bad.Error()}
	}
	return in, err
}

func (s *Session) takeWait(r *http.Request, in byName) (any, error) {
	d, err := time.ParseDuration(in.Name)
	if err != nil || d <= 0 || d > longest {
		return nil, &refused{http.StatusBadRequest, "wait for a duration such as 90m or 25h, at most 720h"}
	}
	if err := s.Wait(r.Context(), d); err != nil {
		return nil, err
	}
	return waited{in.Name, s.Now()}, nil
}

func (s *Session) takeEnd(r *http.Request, in byName) (any, error) {
	last := s.Check(r.Context())
	if in.Keep {
		if err := writeJSON(filepath.Join(s.Dir, "result.json"), last); err != nil {
			return nil, err
		}
	}
	s.end(in.Keep)
	return last, nil
}
