package daemon

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// ports is the content of a ports file: for each kind of listener the URLs it
// is reached at, with nats-server's names.
type ports map[string][]string

// portsNames are nats-server's names of kinds of listeners that have another one
// here.
var portsNames = map[string]string{"client": "nats", "monitor": "monitoring"}

// ports is the content of the ports file.
func (d *Daemon) ports() ports {
	p := ports{}
	for _, l := range d.listening() {
		name := l.name
		if other := portsNames[name]; other != "" {
			name = other
		}
		if list := urls(l.scheme, l.listener.Addr()); list != nil {
			p[name] = append(p[name], list...)
		}
	}
	return p
}

// portsFile writes and removes <executable>_<pid>.ports.
type portsFile struct {
	path string
	ownFile
}

// portsPath is where the ports file goes in dir.
func portsPath(dir, exe string) string {
	return filepath.Join(dir, fmt.Sprintf("%s_%d.ports", exe, os.Getpid()))
}

// writePortsFile writes the file in one step: a reader that sees it sees all
// of it. Its name can be guessed, so that no link is followed there. Anyone may read it, as umask allows.
func writePortsFile(path string, p ports) (*portsFile, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	if err := writeAtomically(path, data, 0o644); err != nil {
		return nil, err
	}
	own, err := ownedFile(path)
	if err != nil {
		return nil, err
	}
	return &portsFile{path, own}, nil
}

func (f *portsFile) remove() error {
	if f == nil {
		return nil
	}
	return f.ownFile.remove()
}

// urls lists the URLs of a listening address: one for each address of this
// machine when it listens on all of them. Unix sockets have none.
func urls(scheme string, addr net.Addr) []string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return nil
	}
	port := strconv.Itoa(tcp.Port)
	if !tcp.IP.IsUnspecified() {
		return []string{scheme + "://" + net.JoinHostPort(tcp.IP.String(), port)}
	}
	locals, err := net.InterfaceAddrs()
	if err != nil {
		return []string{scheme + "://" + net.JoinHostPort(tcp.IP.String(), port)}
	}
	var list []string
	for _, a := range locals {
		if ip, ok := a.(*net.IPNet); ok {
			list = append(list, scheme+"://"+net.JoinHostPort(ip.IP.String(), port))
		}
	}
	return list
}
