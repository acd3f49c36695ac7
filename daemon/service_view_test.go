package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/confparse"
	"github.com/nats-broker/nats-broker/daemon/config"
)

const viewedUnit = "nats-broker@east.service"

// viewed is the view of an instance in a root of its own, where its template, and a drop-in, say this.
func viewed(t *testing.T, main, dropIn string) *serviceView {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"usr/lib/systemd/system/nats-broker@.service":             main,
		"etc/systemd/system/nats-broker@east.service.d/more.conf": dropIn,
	} {
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("[Service]\n"+text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	v := viewOf(root, viewedUnit)
	if v == nil {
		t.Fatal("the unit is not found")
	}
	v.lowest = 1024 // whatever this machine says
	return v
}

// everybodys is a directory that other users may look into.
func everybodys(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What the service would refuse at its start a check of its file refuses, and nothing else.
func TestLoadAsService(t *testing.T) {
	const strict = "User=nats\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nLogsDirectory=nats-broker\n"
	for _, c := range []struct {
		name, text, dropIn string
		socket             bool
		want               string // empty: it is valid
		line               int    // where
	}{
		{name: "nothing", text: "port: 4222"},
		{name: "a low port", text: "debug: true\nport: 222", want: "the client port is 222, and " + viewedUnit + " may not listen below 1024", line: 2},
		{name: "another low port", text: "port: 4222\nhttp: 80", want: "80, and " + viewedUnit + " may not listen below 1024", line: 2},
		{name: "a low port with the privilege", text: "port: 222", dropIn: "AmbientCapabilities=CAP_NET_BIND_SERVICE"},
		{name: "a low port of root", text: "port: 222", dropIn: "User=root"},
		{name: "a low port of a socket unit", text: "port: 222", socket: true},
		{name: "a log outside of the sandbox", text: "log_file: /srv/nats.log", want: "/srv/nats.log is outside of what the sandbox lets " + viewedUnit + " write to", line: 1},
		{name: "a log that the sandbox lets in", text: "log_file: /srv/nats.log", dropIn: "ReadWritePaths=/srv"},
		{name: "a log of its own", text: "log_file: /var/log/nats-broker/nats.log"},
		{name: "a log in no sandbox", text: "log_file: /srv/nats.log", dropIn: "ProtectSystem=full"},
		{name: "a log in a directory for the moment", text: "log_file: /tmp/nats.log"},
		{name: "a log at a relative path", text: "log_file: nats.log", want: "/nats.log is outside of what the sandbox lets", line: 1},
		{name: "the same from a directory of its own", text: "log_file: nats.log", dropIn: "WorkingDirectory=/srv\nReadWritePaths=/srv"},
		{name: "a process id outside", text: "pid_file: /run/nats.pid", want: "/run/nats.pid is outside", line: 1},
		{name: "ports outside", text: "ports_file_dir: /srv", want: "/srv is outside", line: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := viewed(t, strict, c.dropIn)
			if c.socket {
				dir := filepath.Join(v.root, "etc/systemd/system/sockets.target.wants")
				if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "nats-broker.socket"), nil, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			cfg, _, err := config.Load(config.LoadRequest{File: write(t, t.TempDir(), c.text)})
			if err != nil {
				t.Fatal(err)
			}
			cfg.Files = nil // they are in a directory for the moment
			list := v.refuses(cfg)
			if c.want == "" && len(list) == 0 {
				return
			}
			if len(list) != 1 || c.want == "" || !strings.Contains(list[0].Message, c.want) || list[0].Span.Start().Line != c.line {
				t.Errorf("want %q at line %d: %v", c.want, c.line, list)
			}
		})
	}
}

// Files below the directories that the sandbox hides are not there for the service, unless it is given them.
func TestServiceDoesNotSee(t *testing.T) {
	for _, c := range []struct {
		path, settings string
		hidden         bool
	}{
		{"/home/me/key.pem", "ProtectHome=yes", true},
		{"/home/me/key.pem", "ProtectHome=tmpfs", true},
		{"/home/me/key.pem", "ProtectHome=read-only", false},
		{"/home/me/key.pem", "", false},
		{"/home/me/key.pem", "ProtectHome=yes\nBindReadOnlyPaths=-/home/me", false},
		{"/home/me/key.pem", "ProtectHome=yes\nBindPaths=/srv:/home/me:rbind", false},
		{"/home/me/key.pem", "ProtectHome=yes\nBindPaths=/home/me:/srv", true},
		{"/home/me/key.pem", "ProtectHome=yes\nBindPaths=/home/me\nBindPaths=", true},
		{"/root/key.pem", "ProtectHome=true", true},
		{"/tmp/key.pem", "PrivateTmp=yes", true},
		{"/tmp/key.pem", "PrivateTmp=no", false},
		{"/etc/nats/key.pem", "ProtectHome=yes\nPrivateTmp=yes", false},
	} {
		if list := viewed(t, c.settings, "").hides(c.path); (len(list) > 0) != c.hidden {
			t.Errorf("%s with %q: %v", c.path, c.settings, list)
		}
	}
}

// A file is read by the rights of the service's user, and relative paths begin where it does.
func TestLoadAsServiceReadsAsItsUser(t *testing.T) {
	dir := everybodys(t)
	text := "authorization { include users.conf }\nmax_payload: 2MB\n"
	file := write(t, dir, text)
	users := filepath.Join(dir, "users.conf")
	if err := os.WriteFile(users, []byte("user: u, password: p\n"), 0o000); err != nil {
		t.Fatal(err)
	}
	v := viewed(t, "User=nobody", "")
	_, _, err := v.load(config.LoadRequest{File: file})
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a file that nobody may read: %v", err)
	}
	if os.Geteuid() == 0 {
		if !strings.Contains(err.Error(), "for the user nobody, as whom "+viewedUnit+" runs") {
			t.Errorf("it is not said whose rights are meant: %v", err)
		}
		if _, _, err := config.Load(config.LoadRequest{File: file}); err != nil {
			t.Errorf("afterwards root is root no more: %v", err)
		}
	}
	if err := os.Chmod(users, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.load(config.LoadRequest{File: file}); err != nil {
		t.Errorf("a file that everybody may read: %v", err)
	}

	file = write(t, dir, "tls { cert_file: server.pem, key_file: server.pem }\n")
	var list confparse.Errors
	for home, want := range map[string]string{"/": "open server.pem: no such file", dir: "failed to find any PEM data"} {
		v := viewed(t, "User=nobody\nWorkingDirectory="+home, "")
		if err := os.WriteFile(filepath.Join(dir, "server.pem"), []byte("nothing"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := v.load(config.LoadRequest{File: file}); !errors.As(err, &list) || !strings.Contains(err.Error(), want) {
			t.Errorf("from %s: %v, want %q", home, err, want)
		}
	}
}

// The view is of what is installed: without the unit a file is looked at as it stands.
func TestNoViewWithoutUnit(t *testing.T) {
	if v := viewOf(t.TempDir(), viewedUnit); v != nil {
		t.Errorf("a view of a unit that is not there: %+v", v)
	}
	if v := viewOf("/", ""); v != nil {
		t.Errorf("a view of no unit: %+v", v)
	}
}

func write(t *testing.T, dir, text string) string {
	t.Helper()
	file := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
