package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// machinePart is a file of a report that the machine is asked for.
type machinePart struct {
	name, about string
	text        func(ctx context.Context) (string, error)
}

// make asks for the text and has it masked. Nothing gets out that was not.
func (p machinePart) make(ctx context.Context, mask func(string) (string, error)) control.ReportFile {
	f := control.ReportFile{Name: p.name, About: p.about}
	text, err := p.text(ctx)
	if err == nil {
		f.Text, err = mask(strings.ToValidUTF8(text, "\uFFFD"))
	}
	if err != nil {
		f.Text, f.Missing = "", err.Error()
		if masked, e := mask(f.Missing); e == nil {
			f.Missing = masked
		}
	}
	return f
}

const (
	journalLines = 20000
	mostOutput   = 16 << 20 // bytes of what a program says that are kept
)

// machineParts are what the machine knows of the broker. pid is 0 where none runs.
func machineParts(f *reportFlags, pid int, instance string) []machinePart {
	unit := f.unit
	if unit == "" {
		unit = unitOf(pid, instance)
	}
	said := func(name string, args ...string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return output(ctx, name, args...) }
	}
	parts := []machinePart{
		{"kernel.txt", "kernel, distribution, memory, load and what of the kernel bounds a broker", func(context.Context) (string, error) { return kernelText() }},
		{"limits.txt", "limits and state of the process", func(context.Context) (string, error) { return processText(pid) }},
		{"unit.txt", "the unit with its drop-ins", masksEnvironment(said("systemctl", "cat", "--no-pager", unit))},
		{"unit-properties.txt", "what the service manager says of the unit", masksEnvironment(said("systemctl", "show", "--no-pager", unit))},
		{"sandbox.txt", "what systemd-analyze says of the sandbox", said("systemd-analyze", "security", "--no-pager", unit)},
	}
	if !f.noJournal {
		since := fmt.Sprintf("@%d", time.Now().Add(-f.since).Unix())
		parts = append(parts, machinePart{"journal.txt", fmt.Sprintf("the unit's journal of the last %s", f.since),
			said("journalctl", "--no-pager", "-o", "short-iso-precise", "-n", fmt.Sprint(journalLines), "--since", since, "-u", unit)})
	}
	if unit == "" {
		for i := range parts[2:] {
			parts[2+i].text = func(context.Context) (string, error) {
				return "", errors.New("no service of systemd; --unit names one")
			}
		}
	}
	return parts
}

// unitOf is the service that a process belongs to, or the packaged one; empty: none.
func unitOf(pid int, instance string) string {
	switch {
	case instance != "":
		return "nats-broker@" + instance + ".service"
	case pid == 0:
		return "nats-broker.service"
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name := filepath.Base(strings.TrimSpace(line)); strings.HasSuffix(name, ".service") {
			return name
		}
	}
	return ""
}

// output runs a program and returns what it says.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0")
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil && out.Len() == 0 {
		return "", fmt.Errorf("%s: %w %s", name, err, strings.TrimSpace(complaint.String()))
	}
	text := out.Bytes()
	if len(text) > mostOutput {
		text = text[len(text)-mostOutput:]
	}
	return string(text), nil
}

// masksEnvironment leaves out the values of environment variables and credentials in what systemctl says.
func masksEnvironment(f func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		text, err := f(ctx)
		values := regexp.MustCompile(`(?m)^(\s*(?:Environment|SetCredential|SetCredentialEncrypted)=).*(\\\n.*)*$`)
		return values.ReplaceAllStringFunc(text, func(line string) string {
			key, value, _ := strings.Cut(line, "=")
			var names []string
			for _, m := range regexp.MustCompile(`(?:^|[\s"'])([A-Za-z_][A-Za-z0-9_.-]*)[=:]`).FindAllStringSubmatch(value, -1) {
				names = append(names, m[1]+"=[REDACTED]")
			}
			return key + "=" + strings.Join(names, " ")
		}), err
	}
}

// kernelSettings are those of the kernel that bound a broker.
var kernelSettings = []string{
	"fs/file-max", "fs/nr_open", "fs/inotify/max_user_watches", "fs/inotify/max_user_instances", "kernel/threads-max", "net/core/somaxconn",
	"net/core/rmem_max", "net/core/wmem_max", "net/ipv4/ip_local_port_range", "net/ipv4/tcp_max_syn_backlog", "net/ipv4/tcp_mem",
	"net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem", "net/ipv4/tcp_syncookies", "vm/overcommit_memory", "vm/max_map_count",
}

func kernelText() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", err
	}
	var b strings.Builder
	word := func(b [65]byte) string { return unix.ByteSliceToString(b[:]) }
	fmt.Fprintf(&b, "%s %s %s %s\n", word(u.Sysname), word(u.Release), word(u.Version), word(u.Machine))
	for _, file := range []string{"/etc/os-release", "/proc/loadavg", "/proc/uptime", "/proc/meminfo", "/proc/net/sockstat", "/proc/sys/fs/file-nr"} {
		appendFile(&b, file)
	}
	fmt.Fprintln(&b)
	for _, s := range kernelSettings {
		text, err := os.ReadFile("/proc/sys/" + s)
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(&b, "%s = %s\n", strings.ReplaceAll(s, "/", "."), strings.Join(strings.Fields(string(text)), " "))
	}
	return b.String(), nil
}

func processText(pid int) (string, error) {
	if pid == 0 {
		return "", errors.New("no broker runs")
	}
	var b strings.Builder
	for _, name := range []string{"limits", "status", "cgroup", "oom_score_adj", "sched"} {
		appendFile(&b, fmt.Sprintf("/proc/%d/%s", pid, name))
	}
	for line := range strings.Lines(b.String()) {
		if group, ok := strings.CutPrefix(line, "0::"); ok {
			dir := filepath.Join("/sys/fs/cgroup", strings.TrimSpace(group))
			for _, name := range []string{"memory.max", "memory.high", "memory.current", "cpu.max", "pids.max", "pids.current", "memory.events"} {
				appendFile(&b, filepath.Join(dir, name))
			}
			break
		}
	}
	return b.String(), nil
}

// appendFile adds what a file holds under its name, or why that is not known.
func appendFile(b *strings.Builder, name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		text = []byte(err.Error() + "\n")
	}
	fmt.Fprintf(b, "\n== %s\n%s", name, text)
}
