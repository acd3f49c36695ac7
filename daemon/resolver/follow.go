package resolver

import (
	"errors"

	"github.com/nats-io/jwt/v2"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Follow has the accounts in use follow the updates that are sent to every server, where there is no directory in which
// they could be kept.
func Follow(bus Bus, accounts Accounts, log *logging.Logger) error {
	handle := func(r *Request) {
		id := accountOf(r.Subject)
		const failed = "jwt update resulted in error"
		if len(r.Body) == 0 {
			respond(log, r, id, "jwt update error", errors.New("request body is empty"))
			return
		}
		c, err := jwt.DecodeAccountClaims(string(r.Body))
		switch {
		case err != nil:
			respond(log, r, id, failed, err)
		case c.Subject != id:
			respond(log, r, id, failed, errSubject)
		case !accounts.Known(id):
			respond(log, r, id, "jwt update skipped", nil)
		default:
			if err := accounts.Update(id, string(r.Body)); err != nil {
				respond(log, r, id, failed, err)
				return
			}
			respond(log, r, id, "jwt updated", nil)
		}
	}
	for _, s := range []string{accountUpdateOld, accountUpdate} {
		if err := bus.Handle(s, "", handle); err != nil {
			return err
		}
	}
	return nil
}

var (
	errSubject = errors.New("subject does not match jwt content")
	errStrict  = errors.New("operator requires issuer to be a signing key")
)
