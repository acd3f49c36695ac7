package system

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/nats-broker/nats-broker/daemon/service"
)

// Handler answers a request, by the methods of it, once or not at all. It runs on the
// worker of its lane, so that what it waits for holds up the requests behind it.
type Handler func(*Request)

// Request is a message that the system account received. It may be kept, and answered
// later from any goroutine.
type Request struct {
	*service.Request
	svc *Service
}

// Decode decodes the body into v, which it leaves alone if the body is empty. The
// error is an [*Error] for [Request.Refuse].
func (r *Request) Decode(v any) error {
	if len(r.Body) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		return &Error{Code: http.StatusBadRequest, Description: err.Error()}
	}
	return nil
}

// Data answers with {"server":…,"data":v}, encoded as the request's header accepts.
func (r *Request) Data(v any) {
	r.answer(func(si ServerInfo) any { return Envelope{Server: &si, Data: v} }, accepted(r.Header))
}

// Fail answers with {"server":…,"error":{"code":…,"description":…}}.
func (r *Request) Fail(code int, description string) {
	r.answer(func(si ServerInfo) any {
		return Envelope{Server: &si, Error: &Error{Code: code, Description: description}}
	}, "")
}

// Refuse is Fail with an error: an [*Error] as it is, any other as an internal one.
func (r *Request) Refuse(err error) {
	e := asError(err)
	r.Fail(e.Code, e.Description)
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: http.StatusInternalServerError, Description: err.Error()}
}

// Answer answers with what m makes: see [Maker].
func (r *Request) Answer(m Maker) { r.answer(m, "") }

func (r *Request) answer(m Maker, encoding string) {
	if r.Reply != "" {
		r.svc.lanes.Put(r.svc.message(r.Reply, "", encoding, m))
	}
}
