package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/confparse"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// readable reports whether this version can read the storage that it is to take over. The process that has it goes on
// if not.
func (d *Daemon) readableStorage(o *config.Options) error {
	if !o.JetStream.Enabled {
		return nil
	}
	dir, _ := storeDir(o, d.System.StateDir)
	return store.Check(vfs.OS, dir)
}

// StorageWarnings says what an operator should know of the place of the streams that a configuration names: what kind of
// file system it is on, and, where the configuration is that of a packaged service, that the sandbox keeps the service
// from it.
func StorageWarnings(cfg *config.Config) config.Warnings {
	dir := cfg.Options.JetStream.StoreDir
	if !cfg.Options.JetStream.Enabled || dir == "" {
		return nil
	}
	var list config.Warnings
	warn := func(text string) {
		list = append(list, config.Warning{Error: confparse.Errorf(placeOf(cfg, "jetstream.store_dir", "store_dir"), "%s", text)})
	}
	if text := groundWarning(dir); text != "" {
		warn(text)
	}
	if unit := unitOf(cfg.File); unit != "" && !mayWriteAs(unit, dir, "/") {
		warn(fmt.Sprintf("%s is outside of what the sandbox lets %s write to; %s", dir, unit, allowWriting(unit, dir)))
	}
	return list
}

// storeDirOf is where a broker with this configuration would keep streams that last: where it says, or where its packaged
// unit has its state; empty: nowhere.
func storeDirOf(cfg *config.Config) string {
	if !cfg.Options.JetStream.Enabled {
		return ""
	}
	unit := unitOf(cfg.File)
	if dir := cfg.Options.JetStream.StoreDir; dir != "" || unit == "" {
		return dir
	}
	return filepath.Join("/var/lib", ownDir(unit))
}

// ownDir is the name of a packaged unit's own directories.
func ownDir(unit string) string {
	return strings.Replace(strings.TrimSuffix(unit, ".service"), "@", "-", 1)
}

// unitOf is the packaged unit that runs with a configuration file; empty: none.
func unitOf(file string) string {
	abs, err := filepath.Abs(file)
	if file == "" || err != nil || filepath.Dir(abs) != filepath.Dir(config.PackagedFile) {
		return ""
	}
	if abs == config.PackagedFile {
		return "nats-broker.service"
	}
	name, conf := strings.CutSuffix(filepath.Base(abs), ".conf")
	if !conf {
		return ""
	}
	return "nats-broker@" + name + ".service"
}

// InstanceOf is the name of the instance of nats-broker@.service that runs with a configuration file; empty: it is not one's.
func InstanceOf(file string) string {
	_, name, _ := strings.Cut(strings.TrimSuffix(unitOf(file), ".service"), "@")
	return name
}

// allowWriting is what an administrator does so that a unit may write to a directory.
func allowWriting(unit, dir string) string {
	setting := "ReadWritePaths="
	if within(dir, "/home") || within(dir, "/root") || within(dir, "/run/user") || within(dir, "/tmp") || within(dir, "/var/tmp") {
		setting = "BindPaths=" // a service has none of these, or its own
	}
	return fmt.Sprintf("to let it: install -d -o nats -g nats -m 0750 %s, and systemctl edit %s with the lines [Service] and %s%s (nats-broker-jetstream(7))",
		dir, unit, setting, dir)
}

// within reports whether a path is a directory or lies below it.
func within(path, dir string) bool {
	path, dir = filepath.Clean(path), filepath.Clean(dir)
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// mayWriteAs reports whether a packaged unit may write to a path: it is in a directory of its own, or its settings say so.
// root is where the system's files are.
func mayWriteAs(unit, path, root string) bool {
	u := unitFiles{unit, root}
	if u.setting("ProtectSystem", "strict") != "strict" {
		return true
	}
	var open []string
	for _, own := range []struct{ base, setting string }{
		{"/var/lib", "StateDirectory"}, {"/var/log", "LogsDirectory"}, {"/run", "RuntimeDirectory"}, {"/var/cache", "CacheDirectory"},
	} {
		for _, name := range append(u.words(own.setting), ownDir(unit)) {
			open = append(open, filepath.Join(own.base, name))
		}
	}
	for _, word := range u.words("ReadWritePaths") {
		open = append(open, strings.TrimLeft(word, "-+"))
	}
	return u.binds(path, "BindPaths") || slices.ContainsFunc(open, func(dir string) bool { return within(path, dir) })
}

// explainStorage adds to an error of the storage what its operator can do where a packaged unit's sandbox, or the owner
// of the directory, is the cause.
func (d *Daemon) explainStorage(err error, dir string) error {
	if unit := valueOf(d.Environ, packagedUnit); unit != "" && forbids(err) {
		return fmt.Errorf("%w; the service may not write there: %s", err, allowWriting(unit, dir))
	}
	return err
}

// forbids reports whether an error says that one may not, rather than that something is broken.
func forbids(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist)
}

// valueOf is the value of a variable in an environment.
func valueOf(environ []string, name string) string {
	for _, pair := range environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// grounds are file systems on which an ack may promise less than it says, statfs(2).
var grounds = map[int64]string{
	unix.TMPFS_MAGIC:           "tmpfs, which is memory: streams are gone when the machine stops",
	unix.RAMFS_MAGIC:           "ramfs, which is memory: streams are gone when the machine stops",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs, as containers have it: streams are gone with the container; give it a volume",
	unix.NFS_SUPER_MAGIC:       "NFS, " + network,
	unix.CIFS_SUPER_MAGIC:      "SMB, " + network,
	unix.SMB2_SUPER_MAGIC:      "SMB, " + network,
	unix.SMB_SUPER_MAGIC:       "SMB, " + network,
	unix.AFS_SUPER_MAGIC:       "AFS, " + network,
	unix.CEPH_SUPER_MAGIC:      "CephFS, " + network,
	unix.V9FS_MAGIC:            "9p, " + network,
	unix.FUSE_SUPER_MAGIC:      "FUSE, a file system that a program makes: whether an ack means that a message is on a disk is that program's word",
}

const network = "a file system of the network: an ack means what that server means by it, and each one waits for it; use a local disk"

// groundWarning says what is to be known of the file system that a directory is, or will be, on; empty: nothing.
func groundWarning(dir string) string {
	var s unix.Statfs_t
	for at := dir; ; at = filepath.Dir(at) {
		err := unix.Statfs(at, &s)
		if err == nil {
			break
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
	if what := grounds[int64(uint32(s.Type))]; what != "" {
		return fmt.Sprintf("%s is on %s", dir, what)
	}
	return ""
}
