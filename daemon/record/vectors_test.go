package record

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The trace of RFC 8448, section 3, from the application traffic secrets on: 50 bytes,
// 0 to 49, each way, then close_notify. The server has sent a ticket as record 0.
const (
	rfcClientSecret = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
	rfcServerSecret = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"
	rfcClientData   = `1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a
		9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4`
	rfcServerData = `17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb
		501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d`
	rfcClientClose = "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3"
	rfcServerClose = "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"
)

func TestKeysOfRFC8448(t *testing.T) {
	for _, c := range []struct{ secret, key, iv string }{
		{rfcClientSecret, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"},
		{rfcServerSecret, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"},
	} {
		s := suites[tls.TLS_AES_128_GCM_SHA256]
		key, err := s.expand(unhex(t, c.secret), "key", s.keyLen)
		if err != nil || hex.EncodeToString(key) != c.key {
			t.Errorf("key %x, %v, want %s", key, err, c.key)
		}
		iv, err := s.expand(unhex(t, c.secret), "iv", nonceLen)
		if err != nil || hex.EncodeToString(iv) != c.iv {
			t.Errorf("iv %x, %v, want %s", iv, err, c.iv)
		}
	}
}

func TestRecordsOfRFC8448(t *testing.T) {
	data := make([]byte, 50)
	for i := range data {
		data[i] = byte(i)
	}
	for _, c := range []struct {
		name, secret string
		seq          uint64
		data, end    string
	}{
		{"client", rfcClientSecret, 0, rfcClientData, rfcClientClose},
		{"server", rfcServerSecret, 1, rfcServerData, rfcServerClose},
	} {
		s, err := NewSealer(tls.TLS_AES_128_GCM_SHA256, Keys{unhex(t, c.secret), c.seq})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Seal(nil, data); err != nil || !bytes.Equal(got, unhex(t, c.data)) {
			t.Errorf("%s: data are sealed as %x, %v", c.name, got, err)
		}
		if got, err := s.Alert(nil, CloseNotify); err != nil || !bytes.Equal(got, unhex(t, c.end)) {
			t.Errorf("%s: close_notify is sealed as %x, %v", c.name, got, err)
		}
		o, err := NewOpener(tls.TLS_AES_128_GCM_SHA256, Keys{unhex(t, c.secret), c.seq})
		if err != nil {
			t.Fatal(err)
		}
		rec := unhex(t, c.data)
		if n, err := o.Next(rec); n != len(rec) || err != nil {
			t.Errorf("%s: a record of %d bytes, %v", c.name, n, err)
		}
		if got, err := o.Open(nil, rec); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: opened as %x, %v", c.name, got, err)
		}
		if got, err := o.Open(nil, unhex(t, c.end)); len(got) > 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%s: close_notify is opened as %x, %v", c.name, got, err)
		}
	}
}

// What cannot be a direction of TLS 1.3 is none.
func TestKeysThatAreNone(t *testing.T) {
	for _, c := range []struct {
		suite uint16
		n     int
	}{
		{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, 32},
		{0x1304, 32}, // AES-CCM
		{tls.TLS_AES_128_GCM_SHA256, 48},
		{tls.TLS_AES_256_GCM_SHA384, 32},
		{tls.TLS_CHACHA20_POLY1305_SHA256, 0},
	} {
		if _, err := NewSealer(c.suite, Keys{Secret: make([]byte, c.n)}); err == nil {
			t.Errorf("a sealer of suite %#x with a secret of %d bytes", c.suite, c.n)
		}
		if _, err := NewOpener(c.suite, Keys{Secret: make([]byte, c.n)}); err == nil {
			t.Errorf("an opener of suite %#x with a secret of %d bytes", c.suite, c.n)
		}
	}
}
