package auth

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
)

// byCertificate takes the user from the client's certificate. Users are looked for under its e-mail addresses, DNS
// names and URIs, in this order, and then under its subject: a distinguished name in any order of its parts.
func (d *directory) byCertificate(ctx context.Context, r *Request, p *pool) (*Identity, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, ErrCredentials
	}
	acc := d.certificateUser(r.TLS.PeerCertificates[0], r.Type)
	if acc == nil {
		return nil, ErrCredentials
	}
	return acc.prove(ctx, byCertificate, r.Password, r, p)
}

// certificateUser returns the user a certificate stands for, nil for none.
func (d *directory) certificateUser(cert *x509.Certificate, kind string) *account {
	find := func(name string) *account {
		if acc := d.users[name]; acc != nil && acc.takes(kind) {
			return acc
		}
		return nil
	}
	names := append([]string{}, cert.EmailAddresses...)
	names = append(names, cert.DNSNames...)
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	for _, n := range names {
		if acc := find(n); acc != nil {
			return acc
		}
	}
	if dn, ok := subjectDN(cert); ok {
		for _, key := range [...]string{dn.ordered(), dn.unordered()} {
			if acc := d.byDN[key]; acc != nil && acc.takes(kind) {
				return acc
			}
		}
	}
	text := cert.Subject.ToRDNSequence().String()
	if dcs := domainComponents(cert); dcs != "" {
		if acc := find(text + "," + dcs); acc != nil {
			return acc
		}
	}
	if text == "" {
		return nil
	}
	return find(text)
}

// distinguishedName is the parts of a name, the most specific first as in RFC 4514. Each part is in a canonical form, so
// that equal parts are equal strings.
type distinguishedName []string

// ordered and unordered are keys under which names are equal that have the same parts in the same or any order. The
// kinds of keys do not mix.
func (n distinguishedName) ordered() string { return "=" + strings.Join(n, "\x00") }

func (n distinguishedName) unordered() string {
	return "~" + strings.Join(sorted(n), "\x00")
}

// attributeNames are the attributes that a name of a user may have, by their object identifiers.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET",
	"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.17": "POSTALCODE", domainComponentOID: "DC",
}

const domainComponentOID = "0.9.2342.19200300.100.1.25"

// subjectDN returns the certificate's subject; ok is false if it has attributes that no user's name can have.
func subjectDN(cert *x509.Certificate) (dn distinguishedName, ok bool) {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(cert.RawSubject, &rdns); err != nil || len(rest) > 0 {
		return nil, false
	}
	for i := len(rdns) - 1; i >= 0; i-- { // the certificate has the most general first
		var part []string
		for _, a := range rdns[i] {
			name, known := attributeNames[a.Type.String()]
			value, text := a.Value.(string)
			if !known || !text {
				return nil, false
			}
			part = append(part, attribute(name, value))
		}
		if len(part) > 0 {
			dn = append(dn, strings.Join(sorted(part), "\x01"))
		}
	}
	return dn, len(dn) > 0
}

// domainComponents returns the DC attributes as text, the most general last.
func domainComponents(cert *x509.Certificate) string {
	var rdns pkix.RDNSequence
	if _, err := asn1.Unmarshal(cert.RawSubject, &rdns); err != nil {
		return ""
	}
	var dcs []string
	for _, rdn := range rdns {
		for _, a := range rdn {
			if value, ok := a.Value.(string); ok && a.Type.String() == domainComponentOID {
				dcs = append(dcs, "DC="+value)
			}
		}
	}
	return strings.Join(dcs, ",")
}
