package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user that owns nothing here.
const nobody = 65534

// publicDir is a folder that every user can reach.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, at := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// storeOf unpacks a store that belongs to a user, and damages one copy of each of three files.
func storeOf(t *testing.T, dir string, uid int) {
	t.Helper()
	if err := unpackStore(dir); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]int{"node": 40, "catalogue": 4400, "streams/1/state": 20} {
		path := filepath.Join(dir, "nats-broker", name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= 0xff
		if err := os.WriteFile(path, b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, uid))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// storeVerb runs a verb below store as a user.
func storeVerb(t *testing.T, uid int, args ...string) (out string, code int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: exe, Args: append([]string{"nats-broker", "store"}, args...), Dir: "/"}
	if uid != os.Geteuid() {
		copied := filepath.Join(publicDir(t), "nats-broker") // the test's own program lies where nobody else can reach it
		b, err := os.ReadFile(exe)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, b, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd.Path = copied
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// strangers lists what in a folder does not belong to a user.
func strangers(t *testing.T, dir string, uid int) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != uint32(uid) {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestRepairKeepsTheOwner: everything in a store that is repaired belongs to who owned it before, whoever repairs it: root, where
// the tests run as root, and the owner.
func TestRepairKeepsTheOwner(t *testing.T) {
	self := os.Geteuid()
	for _, c := range []struct {
		name      string
		owner, by int
		needs     int // who runs the test
	}{
		{"the owner, his own", self, self, self},
		{"root, another's", nobody, 0, 0},
		{"the owner, where the test is root's", nobody, nobody, 0},
	} {
		if c.needs != self {
			continue // only root can be somebody else
		}
		t.Run(c.name, func(t *testing.T) {
			dir := publicDir(t)
			storeOf(t, dir, c.owner)
			if out, code := storeVerb(t, c.by, "check", dir); code != exitDamaged {
				t.Fatalf("exits %d: %s", code, out)
			}
			if out, code := storeVerb(t, c.by, "repair", dir, "node", "catalogue", "ORDERS"); code != exitOK || strings.Count(out, "written anew") != 3 {
				t.Fatalf("exits %d: %s", code, out)
			}
			if out, code := storeVerb(t, c.by, "upgrade", dir); code != exitOK {
				t.Fatalf("exits %d: %s", code, out)
			}
			if list := strangers(t, dir, c.owner); len(list) > 0 {
				t.Errorf("not the owner's: %q", list)
			}
			if out, code := storeVerb(t, c.owner, "check", dir); code != exitOK {
				t.Errorf("the owner checks it: exits %d: %s", code, out)
			}
		})
	}
}

// TestRepairBehindALink: a user who puts a link into his own folder does not have root write to where it leads.
func TestRepairBehindALink(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can be led astray
	}
	theirs, roots := publicDir(t), publicDir(t)
	storeOf(t, roots, 0)
	link := filepath.Join(theirs, "nats-broker")
	if err := errors.Join(os.Symlink(filepath.Join(roots, "nats-broker"), link), os.Lchown(link, nobody, nobody), os.Lchown(theirs, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"repair", theirs, "catalogue"}, {"upgrade", theirs}} {
		if out, code := storeVerb(t, 0, args...); code == exitOK || !strings.Contains(out, "permission denied") {
			t.Errorf("%q exits %d: %s", args, code, out)
		}
	}
	if _, err := os.Stat(filepath.Join(roots, "nats-broker", "saved")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}
