package resolver

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// update handles a pushed JWT. The subject names the account, or the JWT does.
func (n *Node) update(r *Request) {
	o := n.opts.Load()
	what, named := "jwt update", accountOf(r.Subject)
	if r.Subject == updateSubject {
		named = ""
	}
	if o.Cache {
		what = "jwt update cache"
	}
	c, err := jwt.DecodeAccountClaims(string(r.Body))
	if err != nil {
		if named == "" || !o.Cache {
			named = "n/a"
		}
		respond(n.log, r, named, what+" resulted in error", err)
		return
	}
	id := c.Subject
	if named != "" {
		id = named
	}
	switch {
	case c.Subject != id:
		err = errSubject
	case o.Strict && c.Issuer == o.Operator:
		err = errStrict
	case o.Cache && !n.accounts.Known(id):
		respond(n.log, r, id, what+" skipped", nil)
		return
	}
	if err != nil {
		respond(n.log, r, id, what+" resulted in error", err)
		return
	}
	if err := n.accounts.Validate(string(r.Body)); err != nil {
		respond(n.log, r, id, strings.TrimSuffix(what, " update")+" validation failed", err)
		return
	}
	changed, err := n.dir.Save(id, string(r.Body))
	if err != nil {
		respond(n.log, r, id, what+" resulted in error", err)
		return
	}
	if changed {
		n.changed(id, string(r.Body))
	}
	done := "jwt updated"
	if o.Cache {
		done = "jwt updated cache"
	}
	respond(n.log, r, id, done, nil)
}

// list answers with the accounts that are here.
func (n *Node) list(r *Request) {
	if r.Reply == "" {
		return
	}
	list := n.dir.Accounts()
	n.log.Debug(fmt.Sprintf("list request responded with %d account ids", len(list)))
	r.Respond(list, nil)
}

// lookup answers another server that does not have an account: with the JWT, or with nothing to say that it is not here
// either.
func (n *Node) lookup(r *Request) {
	tokens := strings.Split(r.Subject, ".")
	if r.Reply == "" || len(tokens) != 6 {
		return
	}
	text, err := n.dir.Load(tokens[3])
	switch {
	case errors.Is(err, fs.ErrNotExist):
		n.log.Debug(fmt.Sprintf("DirResolver - Could not find account %q", tokens[3]))
		r.Answer(nil)
	case err != nil:
		n.log.Error(fmt.Sprintf("DirResolver - Error looking up account %q: %v", tokens[3], err), logging.Err(err))
	default:
		r.Answer([]byte(text))
	}
}

// pack answers another server whose directory differs, account by account. An empty message is the end.
func (n *Node) pack(r *Request) {
	if r.Reply == "" {
		return
	}
	ours := n.dir.Hash()
	if bytes.Equal(r.Body, ours[:]) {
		n.log.Debug(fmt.Sprintf("DirResolver - Pack request matches hash %x", ours))
		r.Answer(nil)
		return
	}
	for _, id := range n.dir.Accounts() {
		if line := n.dir.packed(id); line != "" {
			r.Answer([]byte(line))
		}
	}
	n.log.Debug(fmt.Sprintf("DirResolver - Pack request hash %x - finished responding with hash %x", r.Body, ours))
	r.Answer(nil)
}

// merge takes a part of the answer to our own request.
func (n *Node) merge(r *Request) {
	if len(r.Body) == 0 {
		n.log.Debug(fmt.Sprintf("DirResolver - Merging finished and resulting in: %x", n.dir.Hash()))
		return
	}
	changed, err := n.dir.Merge(string(r.Body))
	for _, id := range changed {
		if text, err := n.dir.Load(id); err == nil {
			n.changed(id, text)
		}
	}
	if err != nil {
		n.log.Error(fmt.Sprintf("DirResolver - Merging resulted in error: %v", err), logging.Err(err))
	}
}

// remove handles a request to delete accounts: a JWT that an operator signed for itself, with their list.
func (n *Node) remove(r *Request) {
	by, list, err := n.condemned(r.Body)
	if err != nil {
		respond(n.log, r, "", fmt.Sprintf("delete accounts request by %s failed", by), err)
		return
	}
	done, failed := 0, []error(nil)
	for _, id := range list {
		gone, err := n.dir.Delete(id)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		done++
		if gone {
			n.accounts.Remove(id)
		}
	}
	message := fmt.Sprintf("deleted %d accounts", done)
	if failed != nil {
		message += fmt.Sprintf(", failed for %d", len(failed))
	}
	respond(n.log, r, "", message, errors.Join(failed...))
}

// condemned reads a request to delete accounts. by is who asks, as far as that is known.
func (n *Node) condemned(body []byte) (by string, list []string, err error) {
	o := n.opts.Load()
	c, err := jwt.DecodeGeneric(string(body))
	if err != nil {
		return "", nil, err
	}
	by = c.Subject
	switch {
	case !n.dir.deletes():
		return by, nil, errors.New("delete must be enabled in server config")
	case by != c.Issuer:
		return by, nil, errors.New("not self signed")
	case !slices.Contains(o.Keys, c.Issuer):
		return by, nil, errors.New("not trusted")
	}
	malformed := errors.New("malformed request")
	entries, ok := c.Data["accounts"].([]any)
	if !ok {
		return by, nil, malformed
	}
	for _, e := range entries {
		id, ok := e.(string)
		if !ok || !nkeys.IsValidPublicAccountKey(id) {
			return by, nil, malformed
		}
		if id == o.System {
			return by, nil, errors.New("not allowed to delete system account")
		}
		list = append(list, id)
	}
	return by, list, nil
}
