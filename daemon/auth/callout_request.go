package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// calloutKind and calloutType are how a client is described to the service.
const (
	calloutKind   = "Client"
	calloutType   = "nats"
	requestTarget = "nats-authorization-request" // the audience of requests
)

// question is one request to a callout service.
type question struct {
	service *service
	server  string // our id
	user    string // the key made for this request: the answer must be about it
	curve   nkeys.KeyPair
	public  string // of curve, if the request is encrypted
	text    []byte // to be sent
}

// header is the value of CalloutHeader; empty for no such header.
func (q *question) header() string { return q.public }

// newQuestion makes the request about r: signed by the server, for a key that nobody has, and encrypted if the service
// has a curve key.
func newQuestion(ctx context.Context, d Delegate, c *service, r *Request) (*question, error) {
	once, err := nkeys.CreateUser()
	if err != nil {
		return nil, fmt.Errorf("making a key for the request: %w", err)
	}
	server := d.Server()
	identity, curve := d.Keys()
	q := &question{service: c, server: server.ID}
	if q.user, err = once.PublicKey(); err != nil {
		return nil, fmt.Errorf("making a key for the request: %w", err)
	}
	claims := jwt.NewAuthorizationRequestClaims(c.subject)
	claims.Audience = requestTarget
	claims.UserNkey = q.user
	claims.Server = jwt.ServerID{
		ID: server.ID, Name: server.Name, Host: server.Host, Version: server.Version, Cluster: server.Cluster, Tags: c.tags,
	}
	if c.xkey != "" {
		if q.public, err = curve.PublicKey(); err != nil {
			return nil, fmt.Errorf("the server's curve key: %w", err)
		}
		q.curve, claims.Server.XKey = curve, q.public
	}
	if end, ok := ctx.Deadline(); ok {
		claims.Expires = end.UTC().Unix()
	}
	r.describe(claims)
	text, err := claims.Encode(identity)
	if err != nil {
		return nil, fmt.Errorf("signing the request: %w", err)
	}
	q.text = []byte(text)
	if q.curve != nil {
		if q.text, err = q.curve.Seal(q.text, c.xkey); err != nil {
			return nil, fmt.Errorf("encrypting the request: %w", err)
		}
	}
	return q, nil
}

// describe puts what is known of the connection into a request.
func (r *Request) describe(claims *jwt.AuthorizationRequestClaims) {
	kind := r.ClientType
	if kind == "" {
		kind = calloutType
	}
	claims.ClientInformation = jwt.ClientInformation{
		Host: hostOf(r.Remote), ID: r.CID, User: r.shownUser(), Name: r.Name, Kind: calloutKind, Type: kind,
	}
	if r.Signature != "" {
		claims.ClientInformation.Nonce = r.Nonce
	}
	claims.ConnectOptions = jwt.ConnectOptions{
		JWT: r.JWT, Nkey: r.Nkey, SignedNonce: r.Signature, Token: r.Token, Username: r.User, Password: r.Password,
		Name: r.Name, Lang: r.Lang, Version: r.Version, Protocol: r.Protocol,
	}
	if r.TLS != nil {
		claims.TLS = describeTLS(r.TLS)
	}
}

// shownUser is who the request says it is, as monitoring shows it.
func (r *Request) shownUser() string {
	switch {
	case r.Nkey != "":
		return r.Nkey
	case r.User != "":
		return r.User
	case r.JWT != "":
		return ""
	case r.Token != "":
		return hidden
	}
	return ""
}

// describeTLS tells the service of the encryption and of the certificates shown, those of the verified chains if the
// server has verified them.
func describeTLS(state *tls.ConnectionState) *jwt.ClientTLS {
	t := &jwt.ClientTLS{Version: tls.VersionName(state.Version)[len("TLS "):], Cipher: tls.CipherSuiteName(state.CipherSuite)}
	for _, chain := range state.VerifiedChains {
		t.VerifiedChains = append(t.VerifiedChains, certificatesPEM(chain))
	}
	if len(t.VerifiedChains) == 0 {
		t.Certs = certificatesPEM(state.PeerCertificates)
	}
	return t
}

func certificatesPEM(list []*x509.Certificate) jwt.StringList {
	var texts jwt.StringList
	for _, c := range list {
		texts = append(texts, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	}
	return texts
}
