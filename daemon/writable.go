package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// CheckWritable reports what a broker with this configuration would have to
// write and this process may not: files, or the directories in which they
// would be made. Nothing is touched. The error lists all of it.
func CheckWritable(cfg *config.Config) error {
	o := cfg.Options
	var list []error
	check := func(option, path string, dir bool) {
		if path == "" {
			return
		}
		if err := mayWrite(path, dir); err != nil {
			list = append(list, fmt.Errorf("%s: %s cannot be written: %w", option, path, err))
		}
	}
	check("log_file", o.Log.File, false)
	check("pid_file", o.Process.PidFile, false)
	check("ports_file_dir", o.Process.PortsFileDir, true)
	check("control_socket", parent(o.Process.ControlSocket), true)
	check("monitor.socket", parent(o.Monitor.Socket), true)
	if r := o.Operator.Resolver; r.Type == config.ResolverFull || r.Type == config.ResolverCache {
		check("resolver.dir", r.Dir, true)
	}
	if dir := o.JetStream.StoreDir; o.JetStream.Enabled && dir != "" {
		before := len(list)
		check("jetstream.store_dir", dir, true)
		if unit := unitOf(cfg.File); unit != "" && len(list) > before {
			list[before] = fmt.Errorf("%w; %s", list[before], allowWriting(unit, dir))
		}
		if err := foreignStore(dir); err != nil && !o.JetStream.NewStore {
			list = append(list, fmt.Errorf("jetstream.store_dir: %s: %w", dir, err))
		}
	}
	if dir := storeDirOf(cfg); dir != "" {
		if err := store.Check(vfs.OS, dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			list = append(list, fmt.Errorf("jetstream.store_dir: %w", err))
		}
	}
	return errors.Join(list...)
}

// foreignStore tells what a start would: that there is a store of nats-server
// and none of ours.
func foreignStore(dir string) error {
	theirs, err := os.ReadDir(filepath.Join(dir, store.Foreign))
	if err != nil || len(theirs) == 0 {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, store.Folder)); err == nil {
		return nil
	}
	return store.ErrForeign
}

func parent(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Dir(path)
}

// mayWrite asks the kernel whether path may be written, or made where it is
// not there.
func mayWrite(path string, dir bool) error {
	access := func(path string, mode uint32) error {
		return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS)
	}
	mode := uint32(unix.W_OK)
	if dir {
		mode |= unix.X_OK
	}
	err := access(path, mode)
	if errors.Is(err, fs.ErrNotExist) {
		return access(filepath.Dir(path), unix.W_OK|unix.X_OK)
	}
	return err
}
