// Package certtest makes the certificates of tests: authorities, and what they
// issue, as files and in memory. Keys are P-256; certificates are good for both
// sides of TLS and from a year ago until a year from now unless a test says
// otherwise.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority issues certificates as files of one directory.
type Authority struct {
	Pair

	t    testing.TB
	dir  string
	key  *ecdsa.PrivateKey
	last int64 // serial number
}

// Pair is a certificate with its key.
type Pair struct {
	Cert     *x509.Certificate
	TLS      tls.Certificate // with the key
	CertFile string          // PEM
	KeyFile  string          // PEM, PKCS #8
}

const year = 365 * 24 * time.Hour

// New makes an authority and writes its files, name.pem and name.key, to dir.
func New(t testing.TB, dir, name string) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: dir}
	a.Pair = a.Issue(name, x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.key = a.TLS.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// SelfSigned makes a certificate for 127.0.0.1 and the name that is its own
// authority, in a directory of the test.
func SelfSigned(t testing.TB, name string) Pair {
	t.Helper()
	a := &Authority{t: t, dir: t.TempDir()}
	return a.Issue(name, x509.Certificate{IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
}

// Issue signs c and writes name.pem and name.key. What c leaves out is filled in:
// serial number, dates, the name as common name, and both usages.
func (a *Authority) Issue(name string, c x509.Certificate) Pair {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.check(err)
	a.last++
	c.SerialNumber = big.NewInt(a.last)
	if c.NotBefore.IsZero() {
		c.NotBefore = time.Now().Add(-year)
	}
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(year)
	}
	if len(c.Subject.ToRDNSequence()) == 0 {
		c.Subject = pkix.Name{CommonName: name}
	}
	if c.ExtKeyUsage == nil {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	parent, signer := a.Cert, a.key
	if parent == nil {
		parent, signer = &c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, parent, &key.PublicKey, signer)
	a.check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	a.check(err)
	p := Pair{CertFile: a.Path(name + ".pem"), KeyFile: a.Path(name + ".key")}
	a.write(p.CertFile, "CERTIFICATE", der)
	a.write(p.KeyFile, "PRIVATE KEY", secret)
	p.Cert, err = x509.ParseCertificate(der)
	a.check(err)
	p.TLS = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: p.Cert}
	return p
}

// Path is where a file of the authority is.
func (a *Authority) Path(name string) string { return filepath.Join(a.dir, name) }

// Pool trusts certificates that p has issued, or p itself.
func (p *Pair) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Cert)
	return pool
}

func (a *Authority) write(path, kind string, der []byte) {
	a.t.Helper()
	a.check(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *Authority) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}
