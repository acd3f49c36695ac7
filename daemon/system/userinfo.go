package system

import (
	"net/http"
	"time"
)

// UserInfo is what a client is told of itself.
type UserInfo struct {
	User        string        `json:"user"`
	Account     string        `json:"account"`
	AccountName string        `json:"account_name,omitempty"`
	UserName    string        `json:"user_name,omitempty"`
	Permissions *Permissions  `json:"permissions,omitempty"`
	Expires     time.Duration `json:"expires,omitempty"` // nanoseconds from now, whole seconds
}

// userInfo answers a client about itself. It is asked through an import of each
// account, and only the server of the client answers.
func (s *Service) userInfo(r *Request) (any, error) {
	c := r.Client
	if c == nil {
		return nil, ErrNoAnswer
	}
	d := c.Info(false)
	u := &UserInfo{User: d.User, Account: d.Account, UserName: d.NameTag, AccountName: s.nameOf(d.Account)}
	id := c.Identity()
	if id == nil {
		return nil, &Error{Code: http.StatusBadRequest}
	}
	if !id.Expires.IsZero() {
		u.Expires = time.Until(id.Expires).Truncate(time.Second)
	}
	if s.source.Permissions != nil {
		u.Permissions = s.source.Permissions(c)
	}
	return u, nil
}
