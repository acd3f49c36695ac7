package auth

import (
	"context"
	"encoding/binary"
	"slices"
)

// carried is the first byte of a proof in the form below. Another one means another
// form, which is not understood.
const carried = 1

// Carry writes down what the identity was decided by, for another process of the same
// configuration or a changed one: the way, the digest of the configured secret, the
// user and the account. It holds no secret.
func (id *Identity) Carry() []byte {
	b := append([]byte{carried, byte(id.by)}, id.proof[:]...)
	for _, s := range []string{id.User, id.Account} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// readCarried is the opposite of Carry.
func readCarried(b []byte) (id *Identity, ok bool) {
	id = &Identity{}
	if len(b) < 2+len(id.proof) || b[0] != carried {
		return nil, false
	}
	id.by = proof(b[1])
	b = b[2+copy(id.proof[:], b[2:]):]
	for _, s := range []*string{&id.User, &id.Account} {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			return nil, false
		}
		*s, b = string(b[k:k+int(n)]), b[k+int(n):]
	}
	return id, true
}

// Readmit decides on a connection that another process has let in, by what is
// configured now: it may stay if the secret that it proved to know is the same, without
// being asked again; otherwise its credentials are looked at once more. Claims always
// are. A callout service cannot be asked, since it is a client that waits as well: with
// ErrMoved, the connection is to be closed without a word and comes back to be asked
// about.
func (a *Authenticator) Readmit(ctx context.Context, proof []byte, r *Request) (*Identity, error) {
	all := a.users.Load()
	d := all.at(r.Type)
	was, ok := readCarried(proof)
	if ok && was.by == byCallout || d.callout != nil && !d.callout.spares(d.entry(r)) {
		return nil, ErrMoved
	}
	key, trusted := d.proxyOf(r)
	if !trusted {
		return nil, ErrProxyNotTrusted
	}
	r.TrustedProxy = r.TrustedProxy || key != ""
	var id *Identity
	err := ErrCredentials
	if ok && slices.Contains(recallable, was.by) && d.operator == nil {
		id, err = d.recall(was, r)
	}
	if err != nil {
		id, err = d.decide(ctx, r, a.pool)
	}
	switch {
	case err != nil:
		return nil, err
	case id.claim != nil && id.claim.account.External != nil:
		return nil, ErrMoved
	}
	id = id.through(key)
	if id.from != all {
		id.from = all
	}
	return id, nil
}

// recallable are the ways of which the tables tell whether they lead to the same place.
// Their numbers are part of what Carry writes.
var recallable = []proof{byNothing, byPassword, bySingle, byToken, byNkey}
