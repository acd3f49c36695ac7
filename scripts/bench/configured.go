package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Users of the configurations below. All servers get the same text.
var (
	alice = login{user: "alice", pass: "a-secret"}
	bob   = login{user: "bob", pass: "b-secret"}
)

const (
	passwordConf    = `authorization { user: alice, password: a-secret }`
	permissionsConf = `authorization { users: [ { user: alice, password: a-secret, permissions: {
		publish: { allow: ["bench.>", "other.*"] }, subscribe: { allow: ["bench.>"], deny: "bench.secret.>" } } } ] }`
	accountsConf = `accounts { A { users: [ { user: alice, password: a-secret } ] }, B { users: [ { user: bob, password: b-secret } ] } }`
	streamConf   = `accounts {
		A { users: [ { user: alice, password: a-secret } ], exports: [ { stream: "bench.>" } ] }
		B { users: [ { user: bob, password: b-secret } ], imports: [ { stream: { account: A, subject: "bench.>" } } ] } }`
	serviceConf = `accounts {
		A { users: [ { user: alice, password: a-secret } ], exports: [ { service: "bench.service" } ] }
		B { users: [ { user: bob, password: b-secret } ], imports: [ { service: { account: A, subject: "bench.service" } } ] } }`
)

// configured makes a run on a server with a configuration of its own. conf may
// put files into dir; as is how connections log in that do not say otherwise.
func configured(as login, conf func(dir string) (string, error), work func(*run) (result, error)) func(*run) (result, error) {
	return func(r *run) (result, error) {
		dir, err := os.MkdirTemp("", "nats-broker-bench-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		text, err := conf(dir)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, "nats.conf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		own := *r
		own.conf = file
		if own.srv, _, err = startServerFor(as, r.binary, "-c", file); err != nil {
			return nil, err
		}
		defer own.srv.stop()
		res, err := work(&own)
		if err != nil {
			select {
			case <-own.srv.done:
				err = fmt.Errorf("%w; the server ended:\n%s", err, tail(own.srv.log.String()))
			default:
			}
		}
		return res, err
	}
}

// text is a configuration that needs no files.
func text(conf string) func(string) (string, error) {
	return func(string) (string, error) { return conf, nil }
}

// withTLS makes a certificate in dir and the configuration that uses it.
func withTLS(dir string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	return certified(dir, key)
}

// withRSA is withTLS with a key whose signatures are dear.
func withRSA(dir string) (string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	return certified(dir, key)
}

func certified(dir string, key crypto.Signer) (string, error) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certFile, keyFile), err
}

// twoAccounts: a publisher and a subscriber in each of two accounts, all on one
// subject; what is published in one account must not be seen in the other.
func twoAccounts(int) flowSpec {
	spec := flowSpec{payload: 128, subjects: []string{"bench.pair", "bench.pair"}, pubs: 2, fan: 1, logins: []login{alice, bob}}
	for i := range spec.logins {
		spec.subs = append(spec.subs, subSpec{subscribe: sub("bench.pair", "", "1"), from: i, ordered: true, login: &spec.logins[i]})
	}
	return spec
}

// imported: the publisher is in account A, the subscriber in B, which imports.
func imported(int) flowSpec {
	spec := pair(128, false)(1)
	spec.logins = []login{alice}
	spec.subs[0].login = &bob
	return spec
}

// besideSlow measures a 1:1 flow while another connection has subscribed to the
// same subject and reads nothing, until the server gives it up. A unit is a
// message that the healthy one got.
func besideSlow(r *run) (result, error) {
	slow, err := r.srv.connect()
	if err != nil {
		return nil, err
	}
	defer slow.Close()
	if err := slow.SetReadBuffer(64 << 10); err != nil {
		return nil, err
	}
	if _, err := slow.Write(sub("bench.pair", "", "7")); err != nil {
		return nil, err
	}
	f, err := newFlow(r.srv, pair(128, false)(1))
	if err != nil {
		return nil, err
	}
	res, err := flooded(r, f)
	if err == nil {
		err = floodUntilClosed(f, slow, r.load)
	}
	if err == nil {
		err = observed(r, f, 10000, res)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return res, f.finish()
}

// floodUntilClosed floods on, in pieces of length d, until the server has closed c: only
// then does the memory of two servers of different speeds compare.
func floodUntilClosed(f *flow, c *net.TCPConn, d time.Duration) error {
	for until := time.Now().Add(patience); time.Now().Before(until); {
		open, err := peerOpen(c)
		if err != nil || !open {
			return err
		}
		if err := f.flood(d); err != nil {
			return err
		}
	}
	return fmt.Errorf("a subscriber that reads nothing was not closed within %v", patience)
}

// peerOpen reports whether the other end of a connection within this machine is open. Its
// own end learns that only when it has read what came before. The table is that of
// proc_net_tcp(5).
func peerOpen(c *net.TCPConn) (bool, error) {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return false, err
	}
	ours, theirs := c.LocalAddr().(*net.TCPAddr).Port, c.RemoteAddr().(*net.TCPAddr).Port
	const established = "01"
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line) // number, local address, remote address, state
		if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", theirs)) && strings.HasSuffix(f[2], fmt.Sprintf(":%04X", ours)) {
			return f[3] == established, nil
		}
	}
	return false, nil
}

// reloadPeriod is the time between two reloads under load.
const reloadPeriod = 50 * time.Millisecond

// reloadConf is the configuration of the n-th reload: the limit it changes
// is never reached.
func reloadConf(n int) string { return fmt.Sprintf("max_connections: %d\n", 50000+n%2) }

// underReload measures a 1:1 flow while the configuration is reloaded, with a
// change, twenty times a second: no message may be lost, or come twice.
func underReload(r *run) (result, error) {
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- reloadUntil(stop, r) }() // ends when stop is closed; waited for below
	res, err := messages(10000, pair(128, false))(r)
	close(stop)
	if reloadErr := <-ended; err == nil {
		err = reloadErr
	}
	return res, err
}

func reloadUntil(stop <-chan struct{}, r *run) error {
	tick := time.NewTicker(reloadPeriod)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
		next := r.conf + ".next"
		if err := os.WriteFile(next, []byte(reloadConf(n)), 0o600); err != nil {
			return err
		}
		if err := os.Rename(next, r.conf); err != nil {
			return err
		}
		if err := r.srv.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return err
		}
	}
}
