package resolver

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
)

// FetchTimeout is how long a look-up may take (nats-server 2.15.3).
const FetchTimeout = 1900 * time.Millisecond

// URL asks an account server, such as nats-account-server, over HTTP. Its methods may be called concurrently.
//
// What the server answered last is not kept here: an account that is in use stays what it was when the server cannot be
// asked.
type URL struct {
	base   string // ends in "/"
	client *http.Client
}

// NewURL makes a resolver of the accounts below an address; c may be nil.
func NewURL(base string, c *tls.Config) *URL {
	if !strings.HasSuffix(base, "/") {
		base += "/"
	}
	return &URL{base: base, client: &http.Client{
		Timeout:   FetchTimeout,
		Transport: &http.Transport{MaxIdleConns: 10, MaxConnsPerHost: 64, IdleConnTimeout: 30 * time.Second, TLSClientConfig: c},
	}}
}

// Close ends idle connections.
func (u *URL) Close() { u.client.CloseIdleConnections() }

// Fetch asks for an account.
func (u *URL) Fetch(ctx context.Context, id string) (string, error) {
	failed := func(why any) (string, error) {
		return "", fmt.Errorf("could not fetch <%q>: %v", redacted(u.base+id), why)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.base+id, nil)
	if err != nil {
		return failed("the address is not valid")
	}
	resp, err := u.client.Do(req)
	if err != nil {
		if ue, ok := err.(*url.Error); ok {
			err = ue.Err // the outer one holds the address with its password
		}
		return failed(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return failed(resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, jwt.MaxTokenSize+1))
	switch {
	case err != nil:
		return failed(err)
	case len(body) > jwt.MaxTokenSize:
		return failed("the answer is too long for a JWT")
	}
	return string(body), nil
}

// redacted is an address without its password.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "…"
	}
	return u.Redacted()
}
