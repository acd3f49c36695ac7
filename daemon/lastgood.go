package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// packagedUnit is the variable by which the packaged unit tells that it is
// that: only there is the last good configuration kept and used. A broker
// started by hand, by a container or by a unit of the administrator's own fails
// on a bad file, as nats-server does.
const packagedUnit = "NATS_UNIT"

// savedConfig is a configuration as it was read: every file of it, with what
// was in it, drop-ins and files of secrets included. It is stored as one file,
// so that it is always one configuration. Certificates are not in it: they are
// files of their own and are read again.
type savedConfig struct {
	File    string            `json:"file"`
	Saved   time.Time         `json:"saved"`
	Digest  string            `json:"digest"`
	DropIns []string          `json:"drop_ins"`
	Files   map[string][]byte `json:"files"`
}

// lastGoodPath is where the last good configuration is kept; empty when it is
// not.
func (d *Daemon) lastGoodPath() string {
	if d.System.StateDir == "" || !hasVariable(d.Environ, packagedUnit) {
		return ""
	}
	return filepath.Join(d.System.StateDir, "last-good.json")
}

func hasVariable(environ []string, name string) bool {
	for _, pair := range environ {
		if len(pair) > len(name)+1 && pair[:len(name)+1] == name+"=" {
			return true
		}
	}
	return false
}

// hopeless is a start that fails for as long as nobody mends the configuration.
type hopeless struct{ error }

func (h *hopeless) Unwrap() error { return h.error }

// exitConfig ends a start that is hopeless: EX_CONFIG of sysexits(3). The unit
// does not try again, so that systemd shows the service as failed.
const exitConfig = 78

// startIsHopeless reports whether there is no reason to try again with a
// configuration that is bad: under the packaged unit, where no copy was ever
// saved, and nothing of an earlier process waits with the service manager.
func (d *Daemon) startIsHopeless() bool {
	if !hasVariable(d.Environ, packagedUnit) || d.stored.Holds() || d.succession.parcel != nil {
		return false
	}
	path := d.lastGoodPath()
	if path == "" {
		return true
	}
	_, err := os.Lstat(path)
	return errors.Is(err, os.ErrNotExist)
}

// ExitCode is the exit code for an error of New.
func ExitCode(err error) int {
	var h *hopeless
	if errors.As(err, &h) {
		return exitConfig
	}
	return 1
}

// recorder reads files and keeps what it read.
type recorder struct {
	mu    sync.Mutex
	files map[string][]byte
}

func newRecorder() *recorder { return &recorder{files: map[string][]byte{}} }

func (r *recorder) read(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		r.mu.Lock()
		r.files[path] = data
		r.mu.Unlock()
	}
	return data, err
}

// keepLastGood saves a configuration that runs. Not being able to is worth a
// warning: the broker runs all the same.
func (d *Daemon) keepLastGood(act *active) {
	path := d.lastGoodPath()
	if path == "" || act.lastGood || act.cfg.File == "" {
		return
	}
	var err error
	if act.cfg.Options.Process.LastGood {
		err = saveConfig(path, act)
	} else {
		err = removeSaved(path)
	}
	if err != nil {
		d.log.Warn("Could not keep the last good configuration: "+err.Error(), logging.Err(err))
	}
}

// saveConfig writes the file, for our eyes only: it holds what the files hold.
func saveConfig(path string, act *active) error {
	s := savedConfig{
		File: act.cfg.File, Saved: act.loaded, Digest: act.cfg.Digest,
		DropIns: dropInsOf(act.cfg), Files: act.read.files,
	}
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return writeAtomically(path, data, 0o600)
}

// removeSaved removes the file, when there is one.
func removeSaved(path string) error {
	if err := errNotRegular(path); err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// dropInsOf lists the drop-ins in the order in which they were applied.
func dropInsOf(cfg *config.Config) []string {
	list := []string{}
	for _, f := range cfg.Files {
		if f.Source != nil && f.Source.Layer() == config.LayerDropIn && f.Source.IncludedFrom().IsZero() {
			list = append(list, f.Path)
		}
	}
	return list
}

// lastGood loads the saved configuration, because the one on disk is bad. The
// error says why there is none to be had.
func (d *Daemon) lastGood() (*active, error) {
	path := d.lastGoodPath()
	if path == "" {
		return nil, errors.New("none is kept")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s savedConfig
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.File != d.Invocation.ConfigFile {
		return nil, fmt.Errorf("%s is of another configuration, %s", path, s.File)
	}
	req := d.loadRequest(s.File, func(name string) ([]byte, error) {
		if text, ok := s.Files[name]; ok {
			return text, nil
		}
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	})
	req.DropIns = &s.DropIns
	cfg, _, err := config.Load(req)
	if err != nil {
		return nil, fmt.Errorf("the last good configuration of %s: %w", s.Saved.Format(time.DateTime), err)
	}
	return &active{cfg: cfg, loaded: s.Saved, lastGood: true}, nil
}
