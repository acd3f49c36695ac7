package auth

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"net/url"
	"slices"
	"testing"
)

// certificate issues one for itself.
func certificate(t *testing.T, c *x509.Certificate) *tls.ConnectionState {
	t.Helper()
	a := certtest.New(t, t.TempDir(), "ca")
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{a.Issue("", *c).Cert}}
}

var (
	oidCN = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidOU = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidO  = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidDC = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
)

func name(parts ...any) (n pkix.Name) {
	for i := 0; i < len(parts); i += 2 {
		n.ExtraNames = append(n.ExtraNames, pkix.AttributeTypeAndValue{Type: parts[i].(asn1.ObjectIdentifier), Value: parts[i+1]})
	}
	return n
}

func TestCertificateMap(t *testing.T) {
	uri, err := url.Parse("spiffe://bank/alice")
	if err != nil {
		t.Fatal(err)
	}
	subj := name(oidO, "Bank", oidOU, "Ops, Night", oidCN, "alice")
	dcs := name(oidDC, "com", oidDC, "bank", oidCN, "alice")
	for _, c := range []struct {
		what string
		user string
		cert x509.Certificate
		want bool
	}{
		{"e-mail", "alice@bank.example", x509.Certificate{EmailAddresses: []string{"x@y", "alice@bank.example"}}, true},
		{"DNS name", "alice.bank", x509.Certificate{EmailAddresses: []string{"x@y"}, DNSNames: []string{"alice.bank"}}, true},
		{"URI", "spiffe://bank/alice", x509.Certificate{URIs: []*url.URL{uri}}, true},
		{"subject", `CN=alice,OU=Ops\, Night,O=Bank`, x509.Certificate{Subject: subj}, true},
		{"subject with spaces", `CN=alice, OU=Ops\, Night , O=Bank`, x509.Certificate{Subject: subj}, true},
		{"subject, lower case types", `cn=alice,ou=Ops\, Night,o=Bank`, x509.Certificate{Subject: subj}, true},
		{"subject in another order", `O=Bank,CN=alice,OU=Ops\2c Night`, x509.Certificate{Subject: subj}, true},
		{"subject, value in another case", `CN=Alice,OU=Ops\, Night,O=Bank`, x509.Certificate{Subject: subj}, false},
		{"subject, one part more", `CN=alice,OU=Ops\, Night,O=Bank,C=DE`, x509.Certificate{Subject: subj}, false},
		{"subject, one part less", `CN=alice,O=Bank`, x509.Certificate{Subject: subj}, false},
		{"common name alone is no name", "alice", x509.Certificate{Subject: subj}, false},
		{"domain components", "CN=alice,DC=bank,DC=com", x509.Certificate{Subject: dcs}, true},
		{"names count before the subject", "b.bank", x509.Certificate{Subject: subj, DNSNames: []string{"b.bank"}}, true},
		{"no names at all", "alice", x509.Certificate{}, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			a := newAuthenticator(t, Options{CertificateMap: true, Users: []User{{Name: c.user, Account: "A"}}})
			id, err := a.Authenticate(t.Context(), &Request{TLS: certificate(t, &c.cert)})
			if (err == nil) != c.want {
				t.Fatalf("got %+v, %v", id, err)
			}
			if err == nil && (id.User != c.user || id.Account != "A") {
				t.Errorf("got %+v", id)
			}
		})
	}
}

// TestCertificateMapAsksForCertificate: without one there is no way in by name, and a name in CONNECT does not count.
func TestCertificateMapAsksForCertificate(t *testing.T) {
	a := newAuthenticator(t, Options{CertificateMap: true, NoAuthUser: "a.bank", Users: []User{{Name: "a.bank"}, {Name: "b.bank", Password: "pw"}}})
	own := certificate(t, &x509.Certificate{DNSNames: []string{"a.bank"}})
	other := certificate(t, &x509.Certificate{DNSNames: []string{"b.bank"}})
	for _, c := range []struct {
		what string
		r    Request
		want string
	}{
		{"plain connection", Request{User: "a.bank"}, ""},
		{"no certificate", Request{TLS: &tls.ConnectionState{}, User: "a.bank"}, ""},
		{"no certificate and no name", Request{TLS: &tls.ConnectionState{}}, ""},
		{"the name of another", Request{TLS: own, User: "b.bank"}, "a.bank"},
		{"a password is asked for as well", Request{TLS: other}, ""},
		{"and given", Request{TLS: other, Password: "pw"}, "b.bank"},
	} {
		id, err := a.Authenticate(t.Context(), &c.r)
		got := ""
		if err == nil {
			got = id.User
		}
		if got != c.want {
			t.Errorf("%s: %q (%v), want %q", c.what, got, err, c.want)
		}
	}
}

// TestAmbiguousNames: two users with the same parts in different orders are told apart by the order alone.
func TestAmbiguousNames(t *testing.T) {
	a := newAuthenticator(t, Options{CertificateMap: true, Users: []User{{Name: "CN=a,O=b"}, {Name: "O=b,CN=a"}}})
	id, err := a.Authenticate(t.Context(), &Request{TLS: certificate(t, &x509.Certificate{Subject: name(oidO, "b", oidCN, "a")})})
	if err != nil || id.User != "CN=a,O=b" {
		t.Errorf("got %+v, %v", id, err)
	}
}

func TestParseDN(t *testing.T) {
	for s, want := range map[string]distinguishedName{
		"CN=a":              {"CN\x02a"},
		"cn = a b , O=c":    {"CN\x02a b", "O\x02c"},
		`CN=a\20,O=\ c\\\,`: {"CN\x02a ", "O\x02 c\\,"},
		"O=z+CN=a,C=x":      {"CN\x02a\x01O\x02z", "C\x02x"},
		"CN=a=b":            {"CN\x02a=b"},
		"CN=":               {"CN\x02"},
		"":                  nil,
		"alice":             nil,
		"CN=a,":             nil,
		"=a":                nil,
		"CN=#0401":          nil,
		`CN=a\`:             nil,
		`CN=a\zz`:           nil,
		"CN=a,,O=b":         nil,
	} {
		got, ok := parseDN(s)
		if ok != (want != nil) || ok && !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", s, got, ok)
		}
	}
}

// FuzzParseDN: whatever a user is called, reading it ends, and a name that is one keeps its parts in any order.
func FuzzParseDN(f *testing.F) {
	for _, s := range []string{"CN=a,O=b", `CN=a\2c+OU=\ x,C=`, "=", "CN=a\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		dn, ok := parseDN(s)
		if !ok {
			return
		}
		if len(dn) == 0 {
			t.Fatal("a name without parts")
		}
		turned := slices.Clone(dn)
		slices.Reverse(turned)
		if dn.unordered() != turned.unordered() {
			t.Fatal("the order counts")
		}
	})
}
