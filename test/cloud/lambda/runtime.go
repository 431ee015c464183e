package lambda

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxPayload is the largest synchronous payload and answer.
//
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPayload = 6 << 20

// api is the Runtime API of one process.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
func (e *environment) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", e.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		e.done(w, r, "")
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		e.done(w, r, unhandled)
	})
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxPayload)) // what came is what there is
		e.answer(outcome{body, unhandled})
		reply(w, http.StatusAccepted, map[string]string{"status": "OK"})
	})
	return mux
}

// next waits for work. It returns without any when the process or its
// connection is gone.
func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.current = nil
	e.mu.Unlock()
	select {
	case e.ready <- struct{}{}:
	default:
	}
	select {
	case c := <-e.calls:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", c.requestID)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(c.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", c.arn)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-"+strconv.FormatInt(c.deadline.Unix(), 16)+"-"+strings.ReplaceAll(c.requestID, "-", "")[:24]+";Parent="+c.requestID[:8]+c.requestID[9:13]+c.requestID[14:18]+";Sampled=0")
		_, _ = w.Write(c.payload) // a process that does not listen is found out by its deadline
	case <-r.Context().Done():
	case <-e.exited:
	}
}

// done takes the result of the current invocation.
func (e *environment) done(w http.ResponseWriter, r *http.Request, functionError string) {
	if !e.serves(r.PathValue("id")) {
		reply(w, http.StatusBadRequest, map[string]string{"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"})
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	switch {
	case err != nil:
		return
	case len(body) > maxPayload:
		e.answer(outcome{failure("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size ("+strconv.Itoa(maxPayload)+" bytes)."), unhandled})
		reply(w, http.StatusRequestEntityTooLarge, map[string]string{"errorType": "RequestEntityTooLarge", "errorMessage": "Exceeded maximum allowed payload size"})
	default:
		e.answer(outcome{body, functionError})
		reply(w, http.StatusAccepted, map[string]string{"status": "OK"})
	}
}

// answer hands the first result on.
func (e *environment) answer(o outcome) {
	select {
	case e.results <- o:
	default:
	}
}

func reply(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // strings, to a process that may be gone
}

// unhandled is the X-Amz-Function-Error of every failure: functions on an
// OS-only runtime know no other.
const unhandled = "Unhandled"

// failure is the body of a function error.
func failure(kind, message string) []byte {
	b, _ := json.Marshal(map[string]string{"errorType": kind, "errorMessage": message}) //nolint:errchkjson // strings
	return b
}
