package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/confparse"
)

// handshakeFallback is how long "auto" waits for a handshake before INFO is sent.
const handshakeFallback = 50 * time.Millisecond

// decodeFirst reads handshake_first.
func decodeFirst(d *decoder, at place, v *confparse.Value, into any) {
	if b, ok := v.Bool(); ok {
		put(into, HandshakeFirst{Enabled: b})
		return
	}
	s, ok := v.Str()
	if !ok {
		d.mistyped(at, v)
		return
	}
	switch strings.ToLower(s) {
	case "true", "on":
		put(into, HandshakeFirst{Enabled: true})
	case "false", "off":
		put(into, HandshakeFirst{})
	case "auto", "auto_fallback":
		put(into, HandshakeFirst{Enabled: true, FallbackDelay: handshakeFallback})
	default:
		dur, err := time.ParseDuration(s)
		if err != nil {
			d.mistyped(at, v)
			return
		}
		put(into, HandshakeFirst{Enabled: true, FallbackDelay: dur})
	}
}

// decodeVerify reads verify.
func decodeVerify(d *decoder, at place, v *confparse.Value, into any) {
	if b, ok := v.Bool(); ok {
		if b {
			put(into, verifyAlways)
		} else {
			put(into, verifyNone)
		}
		return
	}
	if s, ok := v.Str(); !ok || !strings.EqualFold(s, "optional") {
		d.mistyped(at, v)
		return
	}
	put(into, verifyIfShown)
}

func decodeVersion(d *decoder, at place, v *confparse.Value, into any) {
	s, ok := v.Str()
	if !ok {
		d.mistyped(at, v)
		return
	}
	switch s {
	case "1.2":
		put(into, uint16(tls.VersionTLS12))
	case "1.3":
		put(into, uint16(tls.VersionTLS13))
	case "1.0", "1.1":
		d.fail(at, v.Span(), "unsupported TLS version: TLS %s; the oldest supported is 1.2", s)
	default:
		d.fail(at, v.Span(), "unknown version: %s; write \"1.2\" or \"1.3\"", clip(s))
	}
}

// cipherSuite finds a suite by its name in Go's tables, which hold those the TLS library has.
func cipherSuite(name string) (suite *tls.CipherSuite, insecure bool) {
	for _, s := range tls.CipherSuites() {
		if s.Name == name {
			return s, false
		}
	}
	for _, s := range tls.InsecureCipherSuites() {
		if s.Name == name {
			return s, true
		}
	}
	return nil, false
}

func cipherNames() []string {
	var list []string
	for _, s := range tls.CipherSuites() {
		list = append(list, s.Name)
	}
	for _, s := range tls.InsecureCipherSuites() {
		list = append(list, s.Name)
	}
	return list
}

func decodeCiphers(d *decoder, at place, v *confparse.Value, into any) {
	list, items, ok := d.strs(at, v, false)
	if !ok {
		return
	}
	if len(list) == 0 {
		d.fail(at, v.Span(), "%s cannot be empty", at.label())
		return
	}
	var ids []uint16
	for i, name := range list {
		suite, _ := cipherSuite(name)
		if suite == nil {
			err := d.fail(at, items[i].Span(), "unrecognized cipher %s", clip(name))
			if near := closestExact(name, cipherNames()); near != "" {
				err.WithHint("did you mean %q?", near)
			}
			continue
		}
		ids = append(ids, suite.ID)
	}
	put(into, ids)
}

// curves are the names nats-server knows, in the order it prefers them.
var curves = []struct {
	name string
	id   tls.CurveID
}{
	{"X25519MLKEM768", tls.X25519MLKEM768},
	{"SecP384r1MLKEM1024", tls.SecP384r1MLKEM1024},
	{"SecP256r1MLKEM768", tls.SecP256r1MLKEM768},
	{"X25519", tls.X25519},
	{"CurveP256", tls.CurveP256},
	{"CurveP384", tls.CurveP384},
	{"CurveP521", tls.CurveP521},
}

func curveNames() []string {
	var list []string
	for _, c := range curves {
		list = append(list, c.name)
	}
	return list
}

func defaultCurves() []tls.CurveID {
	var list []tls.CurveID
	for _, c := range curves {
		list = append(list, c.id)
	}
	return list
}

func decodeCurves(d *decoder, at place, v *confparse.Value, into any) {
	list, items, ok := d.strs(at, v, false)
	if !ok {
		return
	}
	if len(list) == 0 {
		d.fail(at, v.Span(), "%s cannot be empty", at.label())
		return
	}
	var ids []tls.CurveID
next:
	for i, name := range list {
		for _, c := range curves {
			if c.name == name {
				ids = append(ids, c.id)
				continue next
			}
		}
		err := d.fail(at, items[i].Span(), "unrecognized curve preference %s", clip(name))
		if near := closestExact(name, curveNames()); near != "" {
			err.WithHint("did you mean %q?", near)
		}
	}
	put(into, ids)
}

// closestExact is closest for names whose case matters.
func closestExact(name string, candidates []string) string {
	near := closest(name, lowerAll(candidates))
	for _, c := range candidates {
		if near != "" && strings.EqualFold(c, near) {
			return c
		}
	}
	return ""
}

func decodePins(d *decoder, at place, v *confparse.Value, into any) {
	list, items, ok := d.strs(at, v, false)
	if !ok {
		return
	}
	var pins []string
	for i, s := range list {
		s = strings.ToLower(s)
		if raw, err := hex.DecodeString(s); err != nil || len(raw) != 32 {
			d.fail(at, items[i].Span(), "%q does not look like the SHA-256 of a public key: 64 hexadecimal digits", clip(s))
			continue
		}
		if !slices.Contains(pins, s) {
			pins = append(pins, s)
		}
	}
	put(into, pins)
}

// finishTLS brings the two ways to name certificates together, fills in defaults and loads the files once: a
// configuration whose certificates cannot be read is not valid.
func finishTLS(d *decoder, at place, v *confparse.Value, block any) {
	t := block.(*TLS)
	span := at.key
	if len(t.Certificates) > 0 && t.certFile != "" {
		d.fail(at, span, "cannot combine 'cert_file' option with 'certs' option").
			WithNote(d.origin(join(at.path(), "certs"), span), "certs is here")
		return
	}
	for i, c := range t.Certificates {
		if c.CertFile == "" || c.KeyFile == "" {
			d.fail(at, d.origin(fmt.Sprintf("%s.certs[%d]", at.path(), i), span), "both 'cert_file' and 'key_file' are required in certs")
			return
		}
	}
	d.pair(at, t, span)
	d.ciphers(at, t)
	d.authorities(at, t)
	t.Verify, t.VerifyOptional = t.verify == verifyAlways || t.Map || t.CheckKnownURLs, t.verify == verifyIfShown
	if t.Verify && t.VerifyOptional {
		d.fail(at, d.origin(join(at.path(), "verify"), span), "cannot combine 'verify: optional' with options requiring client certificates")
	}
	if t.CheckKnownURLs && !strings.HasPrefix(at.path(), "cluster") && !strings.HasPrefix(at.path(), "gateway") {
		d.fail(at, d.origin(join(at.path(), "verify_cert_and_check_known_urls"), span), "verify_cert_and_check_known_urls not supported in this context")
	}
	if t.Timeout == 0 {
		t.Timeout = defaultTLSTimeout
	}
	if t.Curves == nil {
		t.Curves = defaultCurves()
	}
	if t.MinVersion == 0 {
		t.MinVersion = tls.VersionTLS12
	}
}

// pair takes cert_file and key_file as the certificate and loads all pairs.
func (d *decoder) pair(at place, t *TLS, span confparse.Span) {
	switch {
	case t.certFile != "" && t.keyFile == "":
		d.fail(at, d.origin(join(at.path(), "cert_file"), span), "missing 'key_file' in TLS configuration")
		return
	case t.certFile == "" && t.keyFile != "":
		d.fail(at, d.origin(join(at.path(), "key_file"), span), "missing 'cert_file' in TLS configuration")
		return
	case t.certFile != "":
		t.Certificates = []CertPair{{CertFile: t.certFile, KeyFile: t.keyFile}}
	}
	for i, c := range t.Certificates {
		if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
			where := d.origin(join(at.path(), "cert_file"), span)
			unread, _ := errors.AsType[*fs.PathError](err)
			switch {
			case t.certFile != "" && unread != nil && unread.Path == c.KeyFile && c.KeyFile != c.CertFile:
				where = d.origin(join(at.path(), "key_file"), span)
			case t.certFile == "":
				where = d.origin(fmt.Sprintf("%s.certs[%d]", at.path(), i), span)
			}
			d.fail(at, where, "error parsing X509 certificate/key pair: %v", err)
		}
	}
}

// ciphers refuses insecure suites unless they are allowed, and defaults to the secure ones.
func (d *decoder) ciphers(at place, t *TLS) {
	if t.CipherSuites == nil {
		for _, s := range tls.CipherSuites() {
			t.CipherSuites = append(t.CipherSuites, s.ID)
		}
		return
	}
	var weak []string
	for _, id := range t.CipherSuites {
		for _, s := range tls.InsecureCipherSuites() {
			if s.ID == id {
				weak = append(weak, s.Name)
			}
		}
	}
	if len(weak) > 0 && !t.allowInsecureCiphers {
		d.fail(at, d.origin(join(at.path(), "cipher_suites"), at.key),
			"insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: %s", strings.Join(weak, ", "))
	}
}

// authorities loads the CA file once, to see that it can be used.
func (d *decoder) authorities(at place, t *TLS) {
	if t.CAFile == "" {
		return
	}
	where := d.origin(join(at.path(), "ca_file"), at.key)
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		d.fail(at, where, "%v", err)
		return
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		d.fail(at, where, "failed to parse root ca certificate: %s holds no PEM certificate", t.CAFile)
	}
}
