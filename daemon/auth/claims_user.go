package auth

import (
	"context"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// claim is what is remembered of the user JWT that a connection has shown.
type claim struct {
	account *ClaimAccount // it was decided by
	signer  string        // the signing key; empty: the account itself
	scope   jwt.Scope     // of the signer
	issued  int64         // seconds since 1970
	bearer  bool
	plain   bool // has no permissions of its own
}

// ClaimOptions is what user claims are turned into an identity with: see [IdentityOfClaims].
type ClaimOptions struct {
	Account string // name or public key
	// Defaults are the permissions of a user whose claims name none; nil: everything.
	Defaults *Permissions
	Now      time.Time
	// Type is the type of the connection; empty: TypeStandard.
	Type string
	// Request is the connection, for what the claims ask of its address.
	Request *Request
}

// IdentityOfClaims makes an identity of the claims of a user, which must have been decoded (so that the signature is
// right) and come from somebody who may sign for the account. What the claims say of the way, the address and the time
// of a connection is checked; a nonce is not.
func IdentityOfClaims(c *jwt.UserClaims, o ClaimOptions) (*Identity, error) {
	types, unknown := knownTypes(c.AllowedConnectionTypes)
	if len(types) == 0 && unknown != "" {
		return nil, refused(unknown)
	}
	if kind := o.Type; len(types) > 0 && !slices.Contains(types, orStandard(kind)) {
		return nil, refused("Connection type not allowed")
	}
	if !fromAllowed(c.Src, o.Request.Remote) {
		return nil, &Refusal{Text: fmt.Sprintf("Bad src Ip %s", hostOf(o.Request.Remote)), Level: logging.Error}
	}
	until, ok := allowedUntil(&c.UserLimits, o.Now)
	if !ok {
		return nil, &Refusal{Text: "Outside connect times", Level: logging.Error}
	}
	if c.Expires != 0 {
		if end := time.Unix(c.Expires, 0); until.IsZero() || end.Before(until) {
			until = end
		}
	}
	id := &Identity{
		Account: o.Account, User: c.Subject, Label: "jwt:" + c.Subject, Permissions: o.Defaults, Expires: until,
		MaxPayload: limitOf(c.Limits.Payload), MaxSubscriptions: limitOf(c.Limits.Subs),
		NameTag: c.Name, Tags: c.Tags, Note: unknown, by: byClaims,
	}
	if c.IssuerAccount != "" {
		id.IssuerKey = c.Issuer
	}
	if r := rulesOf(&c.Permissions); r != nil {
		p, err := NewPermissions(r)
		if err != nil {
			return nil, refused(fmt.Sprintf("User JWT not valid: %v", err))
		}
		id.Permissions = p
	}
	return id, nil
}

// hostOf is an address without its port, for the log.
func hostOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

func orStandard(kind string) string {
	if kind == "" {
		return TypeStandard
	}
	return kind
}

// limitOf translates a limit of claims, of which -1 is no limit and 0 is nothing at all.
func limitOf(n int64) int {
	switch {
	case n < 0:
		return Unlimited
	case n == 0:
		return Nothing
	}
	return int(min(n, 1<<31-1))
}

// claimTypes are the connection types that claims may name.
var claimTypes = []string{TypeStandard, TypeWebsocket, "LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS", TypeInProcess}

// knownTypes returns the types among those named that we know, and what to say of the others. Where none is known the
// list must not be taken for an empty one, which allows all.
func knownTypes(named []string) (known []string, wrong string) {
	var unknown []string
	for _, n := range named {
		if n = strings.ToUpper(n); slices.Contains(claimTypes, n) {
			known = append(known, n)
		} else {
			unknown = append(unknown, n)
		}
	}
	if unknown != nil {
		wrong = fmt.Sprintf("invalid connection types %q", unknown)
	}
	return known, wrong
}

// byJWT decides on a connection in operator mode.
func (d *directory) byJWT(ctx context.Context, r *Request) (*Identity, error) {
	text := r.JWT
	c, err := jwt.DecodeUserClaims(text)
	if err != nil && d.operator.Sentinel != "" {
		text = d.operator.Sentinel
		c, err = jwt.DecodeUserClaims(text)
	}
	switch {
	case err != nil:
		return nil, refused("Authentication requires a user JWT")
	case c.ProxyRequired && !r.TrustedProxy:
		return nil, ErrProxyRequired
	}
	results := jwt.CreateValidationResults()
	c.Validate(results)
	if results.IsBlocking(true) {
		return nil, refused(fmt.Sprintf("User JWT no longer valid: %+v", results))
	}
	issuer := c.Issuer
	if c.IssuerAccount != "" {
		issuer = c.IssuerAccount
	}
	if d.operator.Pinned != nil && !slices.Contains(d.operator.Pinned, issuer) {
		d.operator.Book.pinnedFails.Add(1)
		return nil, refused(fmt.Sprintf("Account %s not listed as operator pinned account", issuer))
	}
	acc, err := d.operator.Book.Lookup(ctx, issuer)
	if err != nil {
		return nil, refused(fmt.Sprintf("Account JWT lookup error: %v", err))
	}
	return acc.admit(c, r)
}

// admit decides on a user of the account.
func (a *ClaimAccount) admit(c *jwt.UserClaims, r *Request) (*Identity, error) {
	scope, err := a.scoped(c)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	switch {
	case c.ProxyRequired && !r.TrustedProxy: // the scope may ask for it
		return nil, ErrProxyRequired
	case a.Expired(now):
		return nil, refused("Account JWT has expired")
	case c.BearerToken && a.claims.Limits.DisallowBearer:
		return nil, refused("Account does not allow bearer tokens")
	}
	id, err := IdentityOfClaims(c, ClaimOptions{Account: a.ID, Defaults: a.defaults, Now: now, Type: r.Type, Request: r})
	switch {
	case !c.BearerToken && r.Signature == "":
		return nil, refused("Signature missing")
	case !c.BearerToken && decodeSignature(r.Signature) == nil:
		return nil, refused("Signature not valid base64")
	case !c.BearerToken && !signed(c.Subject, r.Nonce, r.Signature):
		return nil, refused("Signature not verified")
	case a.revoked(c.Subject, c.IssuedAt):
		return nil, refused("User authentication revoked")
	case err != nil:
		return nil, err
	}
	id.AccountLabel = a.Label()
	id.claim = &claim{
		account: a, signer: id.IssuerKey, scope: scope, issued: c.IssuedAt, bearer: c.BearerToken,
		plain: rulesOf(&c.Permissions) == nil,
	}
	return id, nil
}

// scoped holds that the account knows who signed the user. A scoped signing key gives the user the rights of its
// template, and must not have given it others.
func (a *ClaimAccount) scoped(c *jwt.UserClaims) (jwt.Scope, error) {
	scope, ok := a.signers[c.Issuer]
	if !ok {
		return nil, refused("User JWT issuer is not known")
	}
	if scope == nil {
		return nil, nil
	}
	if err := scope.ValidateScopedSigner(c); err != nil {
		return nil, refused(fmt.Sprintf("User JWT is not valid: %v", err))
	}
	user, ok := scope.(*jwt.UserScope)
	if !ok {
		return nil, refused("User JWT is not valid")
	}
	rights, err := filler{c, a}.fill(user.Template)
	if err != nil {
		return nil, refused("User JWT generated invalid permissions")
	}
	c.UserPermissionLimits = rights
	return scope, nil
}

// recheck decides on a connection that was let in as id, after the claims of its account have become a.
func (a *ClaimAccount) recheck(id *Identity) (*Identity, error) {
	now := *id
	c := *id.claim
	c.account, now.claim = a, &c
	now.AccountLabel = a.Label()
	if c.plain {
		rights := a.defaults
		if a.External != nil { // a callout goes there
			var err error
			fence := walled
			if id.by != byCallout {
				fence = fenced
			}
			if rights, err = fence(rights); err != nil {
				return nil, err
			}
		}
		if !rights.equal(id.Permissions) {
			now.Permissions = rights
		}
	}
	switch {
	case c.bearer && a.claims.Limits.DisallowBearer:
		return nil, refused("Bearer User JWT not allowed")
	case a.revoked(id.User, c.issued):
		return nil, ErrRevoked
	}
	if c.signer != "" {
		if scope, ok := a.signers[c.signer]; !ok || !reflect.DeepEqual(scope, c.scope) {
			return nil, ErrSigner
		}
	}
	return &now, nil
}
