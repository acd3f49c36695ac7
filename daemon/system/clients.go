package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// connection is the request to do something to one connection.
type connection struct {
	CID uint64 `json:"cid"`
}

// about decodes a request about a connection. One that makes no sense gets no answer.
func (s *Service) about(r *Request) (cid uint64, ok bool) {
	var c connection
	if err := json.Unmarshal(r.Body, &c); err != nil {
		s.log.Error(fmt.Sprintf("SYSTEM - Error unmarshalling kick client request: %v", err), logging.Err(err))
		return 0, false
	}
	return c.CID, true
}

// done answers that something was done, or why not.
func done(r *Request, err error) {
	if err != nil {
		r.Fail(http.StatusInternalServerError, err.Error())
		return
	}
	r.Data(nil)
}

// kick closes a connection.
func (s *Service) kick(r *Request) {
	cid, ok := s.about(r)
	if !ok {
		return
	}
	var err error
	if !s.broker.Kick(cid) {
		err = errors.New("no such client or leafnode id")
	}
	done(r, err)
}

// lameDuck asks one client to go elsewhere.
func (s *Service) lameDuck(r *Request) {
	if cid, ok := s.about(r); ok {
		done(r, s.broker.LameDuckClient(cid))
	}
}

// reload reads the configuration again.
func (s *Service) reload(r *Request) {
	meant, err := r.Meant()
	switch {
	case err != nil:
		r.Refuse(err)
	case !meant:
	case s.source.Reload == nil:
		done(r, errors.New("reload is not available"))
	default:
		done(r, s.source.Reload(s.ctx, "request in the system account"))
	}
}
