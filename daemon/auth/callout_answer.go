package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/jwt/v2"
)

// jwtStart is what every JWT begins with: its header is a JSON object, in base64.
const jwtStart = "eyJ"

// maxAnswer bounds an answer in bytes. A user JWT with a few hundred permissions is some ten kilobytes.
const maxAnswer = 256 << 10

// read takes an answer of the service and returns the identity that it gives. Every error is a refusal.
func (q *question) read(ctx context.Context, answer []byte, r *Request, proxied bool, now time.Time) (*Identity, error) {
	text, err := q.userText(answer)
	if err != nil {
		return nil, err
	}
	user, err := jwt.DecodeUserClaims(text)
	if err != nil {
		return nil, err
	}
	if err := valid(user); err != nil {
		return nil, fmt.Errorf("error validating user JWT: %w", err)
	}
	if user.Subject != q.user {
		return nil, fmt.Errorf("expected authorized user of %q but got %q on account %q", q.user, user.Subject, q.service.account)
	}
	where, err := q.service.terms.place(ctx, user)
	if err != nil {
		return nil, err
	}
	return q.grant(user, where, r, proxied, now)
}

// userText checks the answer's outside and returns the JWT of the user in it.
func (q *question) userText(answer []byte) (string, error) {
	on := q.service.account
	if len(answer) == 0 {
		return "", fmt.Errorf("auth callout violation: %q on account %q", "no reason supplied", on)
	}
	if len(answer) > maxAnswer {
		return "", fmt.Errorf("auth callout violation: answer of %d bytes on account %q", len(answer), on)
	}
	sealed := q.curve != nil && !bytes.HasPrefix(answer, []byte(jwtStart))
	if sealed {
		var err error
		if answer, err = q.curve.Open(answer, q.service.xkey); err != nil {
			return "", fmt.Errorf("error decrypting auth callout response on account %q: %w", on, err)
		}
	}
	claims, err := jwt.DecodeAuthorizationResponseClaims(string(answer))
	if err != nil {
		return "", err
	}
	if err := valid(claims); err != nil {
		return "", fmt.Errorf("authorization response had validation errors: %w", err)
	}
	switch {
	case claims.Subject != q.user:
		return "", errors.New("auth callout violation: auth callout response is not for expected user")
	case claims.Audience != q.server:
		return "", errors.New("auth callout violation: auth callout response is not for server")
	}
	if !sealed { // what is sealed can come from the service alone
		if err := q.service.terms.signed(claims); err != nil {
			return "", err
		}
	}
	if claims.Error != "" {
		return "", fmt.Errorf("auth callout service returned an error: %s", claims.Error)
	}
	return claims.Jwt, nil
}

// valid returns the first of the things that are wrong with claims.
func valid(c jwt.Claims) error {
	found := jwt.CreateValidationResults()
	c.Validate(found)
	if len(found.Issues) > 0 {
		return errors.New(found.Issues[0].Description)
	}
	return nil
}

// grant makes the identity of a user that the service has let in. The claims are those that place has completed.
func (q *question) grant(u *jwt.UserClaims, where *place, r *Request, proxied bool, now time.Time) (*Identity, error) {
	on := q.service.account
	if (proxied || u.ProxyRequired) && !r.TrustedProxy {
		return nil, ErrProxyRequired
	}
	if _, ok := allowedUntil(&u.Limits.UserLimits, now); !ok {
		return nil, fmt.Errorf("authorized user on account %q outside of valid connect times", on)
	}
	types, unknown := knownTypes(u.AllowedConnectionTypes)
	if len(types) == 0 && unknown != "" {
		return nil, fmt.Errorf("authorized user on account %q using invalid connection type", on)
	}
	if len(types) > 0 && !slices.Contains(types, orStandard(r.Type)) {
		return nil, fmt.Errorf("authorized user on account %q not allowed to use connection type", on)
	}
	id, err := IdentityOfClaims(u, ClaimOptions{Account: where.account, Defaults: where.defaults, Now: now, Type: r.Type, Request: r})
	if err != nil {
		return nil, err
	}
	id.by, id.claim, id.AccountLabel = byCallout, where.claim, where.label
	id.User, id.Label, id.IssuerKey = r.shownUser(), r.claim().Label, ""
	if u.Name != "" {
		id.User, id.Label = u.Name, "user:"+u.Name
	}
	// In answers of a service no limit is often written as 0.
	for _, n := range []*int{&id.MaxPayload, &id.MaxSubscriptions} {
		if *n == Nothing {
			*n = 0
		}
	}
	if where.account == on || where.claim != nil && where.claim.account.External != nil {
		if id.Permissions, err = walled(id.Permissions); err != nil {
			return nil, fmt.Errorf("could not register auth callout user: %w", err)
		}
	}
	return id, nil
}
