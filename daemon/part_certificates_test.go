package daemon

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

const day = 24 * time.Hour

// endsIn is a certificate that was made before now and ends after it.
func endsIn(name string, before, after time.Duration) transport.CertificateInfo {
	now := time.Now()
	return transport.CertificateInfo{File: name + ".pem", Subject: "CN=" + name, NotBefore: now.Add(-before), NotAfter: now.Add(after)}
}

var certificateLine = regexp.MustCompile(`\[(WRN|ERR)\] Certificate (\S+)`)

// warnings are what a part has said of certificates since the last call, as level and file.
func warnings(t *testing.T, file string) func() []string {
	from := 0
	return func() (list []string) {
		t.Helper()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data[from:])) {
			m := certificateLine.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("%q", line)
			}
			list = append(list, m[1]+" "+m[2])
		}
		from = len(data)
		slices.Sort(list)
		return list
	}
}

// TestCertificateWarnings plays days of a broker that is reloaded every hour: what is said of a certificate comes once, then daily;
// of one that comes into use at once; and when one comes to the last fifth of its lifetime, or to its end, then, and not with
// the next daily look.
func TestCertificateWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "log")
		logs, err := logging.New(logging.Options{File: file})
		if err != nil {
			t.Fatal(err)
		}
		defer logs.Close()
		shown := []transport.CertificateInfo{endsIn("year", 355*day, 10*day), endsIn("fresh", 0, 90*day)}
		p := &certificatePart{log: logs.Logger("tls"), presented: func() []transport.CertificateInfo { return shown }}
		if err := p.start(nil); err != nil {
			t.Fatal(err)
		}
		said := warnings(t, file)
		reload := func() {
			t.Helper()
			c, err := p.prepare(nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.commit()
		}
		want := func(when string, lines ...string) {
			t.Helper()
			synctest.Wait()
			if got := said(); !slices.Equal(got, lines) {
				t.Errorf("%s: %q, want %q", when, got, lines)
			}
		}
		pass := func(d time.Duration) { // with a reload each hour
			for ; d > 0; d -= time.Hour {
				time.Sleep(time.Hour)
				reload()
			}
		}
		want("at the start", "WRN year.pem")
		pass(23 * time.Hour)
		want("by 23 reloads")
		pass(2 * time.Hour)
		want("after a day", "WRN year.pem")
		time.Sleep(3 * day)
		want("three days later, with no reload", "WRN year.pem", "WRN year.pem", "WRN year.pem")

		shown = []transport.CertificateInfo{endsIn("renewed", 0, 365*day), endsIn("soon", 60*day, day), endsIn("daily", time.Hour, 23*time.Hour)}
		reload()
		want("of what comes into use by a reload", "WRN soon.pem")
		time.Sleep(18*time.Hour + 11*time.Minute) // 19:11 of 24 hours
		want("before the last fifth")
		time.Sleep(2 * time.Minute)
		want("with the last fifth of a day", "WRN daily.pem")
		time.Sleep(4*time.Hour + 48*time.Minute)
		want("at the end", "ERR daily.pem")
		time.Sleep(2 * time.Hour)
		want("after a day, when another has ended", "ERR soon.pem")
		time.Sleep(day)
		want("another day later", "ERR daily.pem", "ERR soon.pem")

		p.stop()
		time.Sleep(5 * day)
		reload()
		want("after the stop", "ERR daily.pem", "ERR soon.pem")
		time.Sleep(5 * day)
		want("after the stop, with no reload")
	})
}

// TestCertificateWarningIsByShare: when it is warned of a certificate, by how long it lives.
func TestCertificateWarningIsByShare(t *testing.T) {
	now := time.Now()
	for _, c := range []struct{ lifetime, left time.Duration }{
		{time.Hour, 12 * time.Minute}, {day, 288 * time.Minute}, {10 * day, 2 * day}, {90 * day, 18 * day}, {150 * day, 30 * day},
		{365 * day, 30 * day}, {3650 * day, 30 * day},
	} {
		info := transport.CertificateInfo{NotBefore: now, NotAfter: now.Add(c.lifetime)}
		for off, want := range map[time.Duration]int{-time.Second: 1, time.Second: 0} {
			p := &certificatePart{log: logging.Discard(), presented: func() []transport.CertificateInfo { return []transport.CertificateInfo{info} }}
			if p.look(info.NotAfter.Add(-c.left - off)); len(p.warned) != want {
				t.Errorf("of one that lives for %v, %v before its end: warned %d times, want %d", c.lifetime, c.left+off, len(p.warned), want)
			}
		}
	}
}
