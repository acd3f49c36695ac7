package daemon

import (
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// pidPart keeps the pid file.
type pidPart struct {
	log  *logging.Logger
	file *pidFile
}

func (p *pidPart) name() string { return "pid file" }

func (p *pidPart) start(cfg *config.Config) error {
	path := cfg.Options.Process.PidFile
	if path == "" {
		return nil
	}
	file, err := writePIDFile(path)
	if err != nil {
		return fmtError("Could not write pidfile", err)
	}
	p.file = file
	return nil
}

// prepare writes a new file at once: a pid file that nobody reads yet harms
// no one, and afterwards nothing can fail.
func (p *pidPart) prepare(old, new *config.Config) (*change, error) {
	path := new.Options.Process.PidFile
	if path == old.Options.Process.PidFile {
		return nil, nil
	}
	var file *pidFile
	if path != "" {
		var err error
		if file, err = writePIDFile(path); err != nil {
			return nil, fmtError("pid_file", err)
		}
	}
	return &change{
		commit: func() { p.stop(); p.file = file },
		abort:  func() { file.remove() },
	}, nil
}

func (p *pidPart) stop() {
	if err := p.file.remove(); err != nil {
		p.log.Error("Error cleaning up pid file: "+err.Error(), logging.Err(err))
	}
	p.file = nil
}

// portsPart keeps the ports file. list asks for the addresses listened on: the
// part is started last, when all are bound, and updated after every reload.
type portsPart struct {
	exe  string
	log  *logging.Logger
	list func() ports
	file *portsFile
}

func (p *portsPart) name() string { return "ports file" }

// start writes the file. A directory that cannot be written is no reason not
// to serve; nats-server only logs it too.
func (p *portsPart) start(cfg *config.Config) error {
	p.write(cfg.Options.Process.PortsFileDir)
	return nil
}

func (p *portsPart) write(dir string) {
	if dir == "" {
		return
	}
	path := portsPath(dir, p.exe)
	file, err := writePortsFile(path, p.list())
	if err != nil {
		p.log.Error("Error writing ports file ("+path+"): "+err.Error(), logging.Err(err))
		return
	}
	p.file = file
}

// prepare rewrites the file on every commit: any listener may have moved.
func (p *portsPart) prepare(old, new *config.Config) (*change, error) {
	dir := new.Options.Process.PortsFileDir
	moved := dir != old.Options.Process.PortsFileDir
	return &change{commit: func() {
		if moved {
			p.stop()
		}
		p.write(dir)
	}}, nil
}

func (p *portsPart) stop() {
	if err := p.file.remove(); err != nil {
		p.log.Error("Error cleaning up ports file "+p.file.path+": "+err.Error(), logging.Err(err))
	}
	p.file = nil
}
