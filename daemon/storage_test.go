package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/config"
)

func TestUnitOf(t *testing.T) {
	for file, want := range map[string]string{
		"":                             "",
		"/etc/nats/nats.conf":          "nats-broker.service",
		"/etc/nats/east.conf":          "nats-broker@east.service",
		"/etc/nats/../nats/east.conf":  "nats-broker@east.service",
		"/etc/nats/east":               "",
		"/etc/nats/nats.conf.d/x.conf": "",
		"/home/me/nats.conf":           "",
		"nats.conf":                    "",
	} {
		if got := unitOf(file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

// What a unit may write to: its own directories, and what a drop-in of it, its template or all services says.
func TestMayWriteAs(t *testing.T) {
	const east = "nats-broker@east.service"
	for _, c := range []struct {
		unit, dir    string
		dropin, text string
		want         bool
	}{
		{unit: "nats-broker.service", dir: "/var/lib/nats-broker", want: true},
		{unit: "nats-broker.service", dir: "/var/lib/nats-broker/js", want: true},
		{unit: "nats-broker.service", dir: "/var/lib/nats-broker-east"},
		{unit: east, dir: "/var/lib/nats-broker-east/js", want: true},
		{unit: east, dir: "/var/lib/nats-broker"},
		{unit: "nats-broker.service", dir: "/data"},
		{unit: "nats-broker.service", dir: "/data", dropin: "etc/systemd/system/nats-broker.service.d", text: "ReadWritePaths=/data", want: true},
		{unit: "nats-broker.service", dir: "/data/js", dropin: "run/systemd/system/nats-broker.service.d", text: "ReadWritePaths=/srv -/data", want: true},
		{unit: "nats-broker.service", dir: "/data2", dropin: "etc/systemd/system/nats-broker.service.d", text: "ReadWritePaths=/data"},
		{unit: "nats-broker.service", dir: "/data", dropin: "etc/systemd/system/nats-broker.service.d", text: "#ReadWritePaths=/data"},
		{unit: "nats-broker.service", dir: "/data", dropin: "etc/systemd/system/nats-broker@.service.d", text: "ReadWritePaths=/data"},
		{unit: east, dir: "/data", dropin: "etc/systemd/system/nats-broker@.service.d", text: "ReadWritePaths=/data", want: true},
		{unit: east, dir: "/data", dropin: "etc/systemd/system/" + east + ".d", text: "BindPaths=/disk:/data", want: true},
		{unit: east, dir: "/disk", dropin: "etc/systemd/system/" + east + ".d", text: "BindPaths=/disk:/data"},
		{unit: east, dir: "/data", dropin: "etc/systemd/system/service.d", text: "ProtectSystem=full", want: true},
		{unit: east, dir: "/data", dropin: "etc/systemd/system/service.d", text: "ProtectSystem=strict"},
	} {
		root := t.TempDir()
		if c.dropin != "" {
			dir := filepath.Join(root, c.dropin)
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "x.conf"), []byte("[Service]\n"+c.text+"\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if got := mayWriteAs(c.unit, c.dir, root); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// A file system that may lose streams is named, also if the directory is not there yet; the usual ones are not.
func TestGrounds(t *testing.T) {
	const ext4, xfs = 0xef53, 0x58465342
	for magic, want := range map[int64]string{
		unix.TMPFS_MAGIC: "memory", unix.OVERLAYFS_SUPER_MAGIC: "container", unix.NFS_SUPER_MAGIC: "NFS",
		unix.CIFS_SUPER_MAGIC: "SMB", unix.FUSE_SUPER_MAGIC: "FUSE", ext4: "", xfs: "",
	} {
		if got := grounds[magic]; (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%#x: %q", magic, got)
		}
	}
	dir := t.TempDir()
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(dir, "a", "b")
	want := ""
	if what := grounds[int64(uint32(s.Type))]; what != "" {
		want = below + " is on " + what
	}
	if got := groundWarning(below); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The error of a packaged service names what lets it in; another cause, or another process, gets no such advice.
func TestExplainStorage(t *testing.T) {
	packaged := []string{"NATS_UNIT=nats-broker@east.service"}
	for _, c := range []struct {
		environ []string
		cause   error
		dir     string
		want    string
	}{
		{packaged, syscall.EROFS, "/data", "systemctl edit nats-broker@east.service with the lines [Service] and ReadWritePaths=/data"},
		{packaged, syscall.EACCES, "/data", "install -d -o nats -g nats -m 0750 /data"},
		{packaged, fs.ErrNotExist, "/home/js", "BindPaths=/home/js"},
		{packaged, syscall.EIO, "/data", ""},
		{nil, syscall.EROFS, "/data", ""},
	} {
		d := &Daemon{Params: Params{Environ: c.environ}}
		err := fmt.Errorf("store %s: %w", c.dir, c.cause)
		got := d.explainStorage(err, c.dir)
		if !errors.Is(got, c.cause) || c.want == "" && got != err || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v, %v: %v", c.environ, c.cause, got)
		}
	}
}

// config check says it at the option, in the file.
func TestStorageWarnings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte("jetstream {\n  store_dir: /nowhere/js\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.LoadRequest{File: file})
	if err != nil {
		t.Fatal(err)
	}
	cfg.File = config.PackagedFile // as if it lay there
	list := StorageWarnings(cfg)
	if len(list) == 0 {
		t.Fatal("nothing is said")
	}
	last := list[len(list)-1]
	if at := last.Span.Start(); at.Line != 2 || at.File != file || last.Fatal || !strings.Contains(last.Message, "nats-broker.service") {
		t.Errorf("%v: %s", at, last.Message)
	}
	if got := storeDirOf(cfg); got != "/nowhere/js" {
		t.Errorf("it is in %s", got)
	}
	cfg.Options.JetStream.StoreDir = ""
	if got := storeDirOf(cfg); got != "/var/lib/nats-broker" {
		t.Errorf("by default it is in %s", got)
	}
	cfg.File = "/etc/nats/east.conf"
	if got := storeDirOf(cfg); got != "/var/lib/nats-broker-east" {
		t.Errorf("of an instance it is in %s", got)
	}
	cfg.Options.JetStream.Enabled = false
	if list := StorageWarnings(cfg); len(list) != 0 {
		t.Errorf("without JetStream: %v", list)
	}
}
