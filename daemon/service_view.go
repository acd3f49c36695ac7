package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/confparse"
	"github.com/nats-broker/nats-broker/daemon/config"
)

// A serviceView is how a packaged service sees the machine: as its user, from its directory, through its sandbox.
type serviceView struct {
	unitFiles
	user   string // whose rights count; empty: those of who asks
	ids    ids
	home   string // where relative paths begin
	lowest int    // port that may be listened on without a privilege
}

// ids are a user and the groups that it is in.
type ids struct {
	uid, gid int
	groups   []uint32
}

// LoadAsService is [config.Load], for a check. The file of a packaged service that is installed here is looked at as the
// service does: by its user's rights, if root asks, and from its directory; and the error has also what its sandbox hides
// from it and the ports that it may not listen on.
func LoadAsService(req config.LoadRequest) (*config.Config, config.Warnings, error) {
	view := viewOf("/", unitOf(req.File))
	if view == nil || valueOf(req.Environ, packagedUnit) != "" { // it is the service that asks
		return config.Load(req)
	}
	return view.load(req)
}

// load is LoadAsService for a view. Where the view cannot be taken, by who may not become the user, it is that of who asks.
func (v *serviceView) load(req config.LoadRequest) (cfg *config.Config, warns config.Warnings, err error) {
	if req.File, err = filepath.Abs(req.File); err != nil {
		return nil, nil, err
	}
	if v.do(func() { cfg, warns, err = config.Load(req) }) != nil {
		cfg, warns, err = config.Load(req)
	} else {
		v.explain(err)
	}
	return cfg, warns, joined(err, v.refuses(cfg))
}

// viewOf is the view of a unit; nil if there is none, or it is not installed.
func viewOf(root, unit string) *serviceView {
	v := &serviceView{unitFiles: unitFiles{unit, root}}
	if unit == "" || v.main() == "" {
		return nil
	}
	v.home = v.setting("WorkingDirectory", "/")
	if v.home = strings.TrimPrefix(v.home, "-"); !filepath.IsAbs(v.home) {
		v.home = "/"
	}
	if os.Geteuid() == 0 && v.setting("DynamicUser", "no") == "no" {
		v.become(v.setting("User", "root"))
	}
	v.lowest = 1024
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			v.lowest = n
		}
	}
	return v
}

// become takes a user whose rights count. One that there is not yet, or who may do everything, is not taken.
func (v *serviceView) become(name string) {
	u, err := user.Lookup(name)
	if err != nil {
		return
	}
	gid := u.Gid
	if g, err := user.LookupGroup(v.setting("Group", "")); err == nil {
		gid = g.Gid
	}
	list, err := u.GroupIds()
	for _, name := range v.words("SupplementaryGroups") {
		if g, err := user.LookupGroup(name); err == nil {
			list = append(list, g.Gid)
		}
	}
	var n ids
	var errs [2]error
	n.uid, errs[0] = strconv.Atoi(u.Uid)
	n.gid, errs[1] = strconv.Atoi(gid)
	for _, text := range list {
		if g, err := strconv.ParseUint(text, 10, 32); err == nil {
			n.groups = append(n.groups, uint32(g))
		}
	}
	if err := errors.Join(err, errs[0], errs[1]); err != nil || n.uid == 0 {
		return
	}
	v.user, v.ids = name, n
}

// do has f run as the service's user in the service's directory. Nothing else in the process changes: f must not leave its
// goroutine.
func (v *serviceView) do(f func()) error {
	done := make(chan error)
	go func() { // ends with f, and its thread with it: nobody else is to run on that
		runtime.LockOSThread()
		err := v.enter()
		if err == nil {
			f()
		}
		done <- err
	}()
	return <-done
}

// enter changes the thread at hand, and no other (credentials(7)).
func (v *serviceView) enter() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("a directory of its own: %w", err)
	}
	if err := unix.Chdir(v.home); err != nil {
		return fmt.Errorf("working directory %s: %w", v.home, err)
	}
	if v.user == "" {
		return nil
	}
	n := v.ids
	_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(n.groups)), uintptr(unsafe.Pointer(unsafe.SliceData(n.groups))), 0)
	if errno == 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_SETRESGID, uintptr(n.gid), uintptr(n.gid), uintptr(n.gid))
	}
	if errno == 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_SETRESUID, uintptr(n.uid), uintptr(n.uid), uintptr(n.uid))
	}
	if errno != 0 {
		return fmt.Errorf("user %s: %w", v.user, errno)
	}
	return nil
}

// explain adds to mistakes whose rights they are about.
func (v *serviceView) explain(err error) {
	var list confparse.Errors
	if v.user == "" || !errors.As(err, &list) {
		return
	}
	for _, e := range list {
		if strings.Contains(e.Message, fs.ErrPermission.Error()) {
			e.Message += fmt.Sprintf(" (for the user %s, as whom %s runs)", v.user, v.unit)
		}
	}
}

// joined is one error of mistakes that were found in two ways.
func joined(err error, more confparse.Errors) error {
	if len(more) == 0 {
		return err
	}
	var list confparse.Errors
	if err != nil && !errors.As(err, &list) {
		return errors.Join(err, more.Err())
	}
	return append(slices.Clone(list), more...).Err()
}

// refuses lists what would keep the service from starting though the configuration is right.
func (v *serviceView) refuses(cfg *config.Config) (list confparse.Errors) {
	if cfg == nil || cfg.Options == nil {
		return nil
	}
	for _, f := range cfg.Files {
		list = append(list, v.hides(f.Path)...)
	}
	for _, f := range cfg.Certificates {
		list = append(list, v.hides(f.Path)...)
	}
	return append(append(list, v.keepsFrom(cfg)...), v.closed(cfg)...)
}

// hides says that the sandbox shows the service nothing of a file, if so.
func (v *serviceView) hides(path string) confparse.Errors {
	path = v.absolute(path)
	why := ""
	for _, dir := range []string{"/home", "/root", "/run/user"} {
		if within(path, dir) && isOn(v.setting("ProtectHome", "no")) {
			why = "ProtectHome="
		}
	}
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		if within(path, dir) && isOn(v.setting("PrivateTmp", "no")) {
			why = "PrivateTmp="
		}
	}
	if why == "" || v.binds(path, "BindPaths", "BindReadOnlyPaths") {
		return nil
	}
	return confparse.Errors{confparse.Errorf(confparse.Span{}, "%s is hidden from %s by its sandbox (%s); to show it: systemctl edit %s with the lines [Service] and BindReadOnlyPaths=%s",
		path, v.unit, why, v.unit, path)}
}

// isOn reports whether a setting hides something; ProtectHome=read-only shows everything.
func isOn(value string) bool {
	return slices.Contains([]string{"yes", "true", "on", "1", "tmpfs", "disconnected"}, value)
}

func (v *serviceView) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(v.home, path)
}

// keepsFrom lists the files that are to be written where the sandbox lets the service write nothing. Where streams lie is
// not among them: see [StorageWarnings].
func (v *serviceView) keepsFrom(cfg *config.Config) (list confparse.Errors) {
	if v.setting("ProtectSystem", "no") != "strict" {
		return nil
	}
	o := cfg.Options
	for _, w := range []struct{ option, path string }{
		{"log_file", o.Log.File}, {"pid_file", o.Process.PidFile}, {"ports_file_dir", o.Process.PortsFileDir},
	} {
		path := v.absolute(w.path)
		tmp := (within(path, "/tmp") || within(path, "/var/tmp")) && isOn(v.setting("PrivateTmp", "no"))
		if w.path == "" || tmp || within(path, "/dev") || within(path, "/proc") || mayWriteAs(v.unit, path, v.root) {
			continue
		}
		list = append(list, confparse.Errorf(placeOf(cfg, w.option), "%s is outside of what the sandbox lets %s write to; %s below /var/log/%s or /run/%s is inside",
			path, v.unit, w.option, ownDir(v.unit), ownDir(v.unit)))
	}
	return list
}

// closed lists the ports that the service has not the privilege to listen on.
func (v *serviceView) closed(cfg *config.Config) (list confparse.Errors) {
	if v.listens() || v.setting("User", "root") == "root" || slices.Contains(v.words("AmbientCapabilities"), "CAP_NET_BIND_SERVICE") {
		return nil
	}
	for _, l := range cfg.Options.Listeners() {
		if l.Port > 0 && l.Port < v.lowest {
			list = append(list, confparse.Errorf(placeOf(cfg, l.Paths...), "%s is %d, and %s may not listen below %d; let nats-broker.socket listen (nats-broker.service(8)), or give it another port",
				l.What, l.Port, v.unit, v.lowest))
		}
	}
	return list
}

// placeOf is where the first of the options that is written is written; zero if none is.
func placeOf(cfg *config.Config, paths ...string) (at confparse.Span) {
	for _, path := range paths {
		if o, ok := cfg.Origin(path); ok {
			return o.Value
		}
	}
	return at
}
