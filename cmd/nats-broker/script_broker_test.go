package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds waits for what happens at once on a machine with nothing else to do.
const patience = time.Minute

// scriptBroker is the broker of a script, with its clients.
type scriptBroker struct {
	cmd     *exec.Cmd
	log     string // file
	clients map[string]*scriptClient
}

type scriptClient struct {
	nc     *nats.Conn
	subs   []*nats.Subscription
	closed chan struct{}
}

// brokerCommands are the commands of scripts that need a running broker:
//
//	serve FILE [ARG...]          starts one with a configuration file; verbs then speak to it
//	client NAME [KEY=VALUE...]   connects: user, pass, sub (SUBJECT or SUBJECT,QUEUE; also several times)
//	publish NAME SUBJECT [TEXT [HEADER:VALUE]]
//	receives NAME REGEXP         waits for a message whose text matches
//	ended NAME [REGEXP]          waits until the client is closed, the last error being
//	logged REGEXP                waits until the broker has logged it
//	stranger STATUS ARG...       runs the command as somebody who may not speak to the broker, whatever the socket's mode
func brokerCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "serve": serveScript, "client": scripted(connectClient), "publish": scripted(publishText), "receives": scripted(receivesText),
		"ended": scripted(endedClient), "logged": loggedLine, "stranger": stranger,
		"unpack": unpack, "flip": flip,
	}
}

type brokerKey struct{}

func brokerOf(ts *testscript.TestScript) *scriptBroker {
	b, _ := ts.Value(brokerKey{}).(*scriptBroker)
	return b
}

// scripted is a command that has no negation and takes a name and others.
func scripted(f func(ts *testscript.TestScript, b *scriptBroker, name string, args []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("give a client's name, and no negation")
		}
		f(ts, brokerOf(ts), args[0], args[1:])
	}
}

func serveScript(ts *testscript.TestScript, neg bool, args []string) {
	b := brokerOf(ts)
	if neg || len(args) == 0 || b.cmd != nil {
		ts.Fatalf("usage: serve FILE [ARG...], once")
	}
	exe, err := os.Executable()
	ts.Check(err)
	ts.Setenv("NATS_BROKER_CONTROL_SOCKET", ts.MkAbs("control.sock")) // for the verbs, and for the broker
	b.log = ts.MkAbs("broker.log")
	log, err := os.Create(b.log)
	ts.Check(err)
	defer log.Close()
	// testscript runs the test binary as the command by its name.
	cmd := &exec.Cmd{Path: exe, Args: append([]string{"nats-broker", "-c", ts.MkAbs(args[0])}, args[1:]...), Dir: ts.MkAbs("."), Stdout: log, Stderr: log}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCOVERDIR", "NATS_BROKER_CONTROL_SOCKET"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	ts.Check(cmd.Start())
	b.cmd = cmd
	ts.Defer(func() {
		for _, c := range b.clients {
			c.nc.Close()
		}
		cmd.Process.Kill()
		cmd.Wait()
	})
	loggedLine(ts, false, []string{"Server is ready"})
}

// url is where clients connect.
func (b *scriptBroker) url(ts *testscript.TestScript) string {
	m := regexp.MustCompile(`Listening for client connections on \S*:(\d+)`).FindStringSubmatch(ts.ReadFile(b.log))
	if m == nil {
		ts.Fatalf("the broker does not say where it listens")
	}
	return "nats://127.0.0.1:" + m[1]
}

func connectClient(ts *testscript.TestScript, b *scriptBroker, name string, args []string) {
	c := &scriptClient{closed: make(chan struct{})}
	user, pass := "", ""
	var subjects []string
	for _, a := range args {
		switch key, value, _ := strings.Cut(a, "="); key {
		case "user":
			user = value
		case "pass":
			pass = value
		case "sub":
			subjects = append(subjects, value)
		default:
			ts.Fatalf("client: %s?", a)
		}
	}
	opts := []nats.Option{nats.Name(name), nats.NoReconnect(), nats.Timeout(patience), nats.ClosedHandler(func(*nats.Conn) { close(c.closed) }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
	if user != "" {
		opts = append(opts, nats.UserInfo(user, pass))
	}
	nc, err := nats.Connect(b.url(ts), opts...)
	ts.Check(err)
	c.nc = nc
	for _, s := range subjects {
		subj, queue, _ := strings.Cut(s, ",")
		sub, err := nc.QueueSubscribeSync(subj, queue)
		ts.Check(err)
		c.subs = append(c.subs, sub)
	}
	ts.Check(nc.FlushTimeout(patience))
	b.clients[name] = c
}

func (b *scriptBroker) client(ts *testscript.TestScript, name string) *scriptClient {
	c := b.clients[name]
	if c == nil {
		ts.Fatalf("there is no client %s", name)
	}
	return c
}

func publishText(ts *testscript.TestScript, b *scriptBroker, name string, args []string) {
	m := nats.NewMsg(args[0])
	if len(args) > 1 {
		m.Data = []byte(args[1])
	}
	for _, h := range args[min(2, len(args)):] {
		key, value, _ := strings.Cut(h, ":")
		m.Header.Add(key, value)
	}
	nc := b.client(ts, name).nc
	ts.Check(nc.PublishMsg(m))
	ts.Check(nc.FlushTimeout(patience))
}

func receivesText(ts *testscript.TestScript, b *scriptBroker, name string, args []string) {
	want := regexp.MustCompile(args[0])
	for _, s := range b.client(ts, name).subs {
		for {
			m, err := s.NextMsg(patience)
			ts.Check(err)
			if want.Match(m.Data) {
				return
			}
		}
	}
}

func endedClient(ts *testscript.TestScript, b *scriptBroker, name string, args []string) {
	c := b.client(ts, name)
	select {
	case <-c.closed:
	case <-time.After(patience):
		ts.Fatalf("%s is still connected", name)
	}
	if err := c.nc.LastError(); len(args) > 0 && (err == nil || !regexp.MustCompile(args[0]).MatchString(err.Error())) {
		ts.Fatalf("%s ended with %v", name, err)
	}
}

func loggedLine(ts *testscript.TestScript, neg bool, args []string) {
	b := brokerOf(ts)
	want := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) { // a file tells nobody that it grows
		text, err := os.ReadFile(b.log)
		ts.Check(err)
		switch found := want.Match(text); {
		case found && neg:
			ts.Fatalf("the broker has logged %s:\n%s", args[0], text)
		case found || neg:
			return
		case time.Now().After(deadline):
			ts.Fatalf("the broker has not logged %s:\n%s", args[0], text)
		}
	}
}

// strangersCopy makes a copy of the command where everybody may run it, unless it is there. Another process writes it: a file that
// this one has open for writing, a child of it that another test has just begun has open too, and then it cannot be run.
func strangersCopy(dir string) (string, error) {
	path := filepath.Join(dir, "stranger")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("install", "-m", "755", exe, path).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
}

func stranger(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: stranger STATUS ARG...")
	}
	socket := ts.Getenv("NATS_BROKER_CONTROL_SOCKET")
	ts.Check(os.Chmod(socket, 0o666)) // so that the broker decides, and not the file system
	for dir := filepath.Dir(socket); dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&1 == 0 {
			ts.Check(os.Chmod(dir, 0o755))
		}
	}
	exe, err := strangersCopy(filepath.Dir(socket))
	ts.Check(err)
	cmd := &exec.Cmd{Path: exe, Args: append([]string{"nats-broker"}, args[1:]...), Dir: "/", Env: []string{"NATS_BROKER_CONTROL_SOCKET=" + socket},
		SysProcAttr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}}
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); strconv.Itoa(got) != args[0] || !strings.Contains(string(out), "not allowed: only root") {
		ts.Fatalf("%q: exit status %d, want %s and a refusal\n%s", slices.Clone(args[1:]), got, args[0], out)
	}
}

// setBroker makes room for the broker of a script.
func setBroker(env *testscript.Env) {
	env.Values[brokerKey{}] = &scriptBroker{clients: map[string]*scriptClient{}}
}

// knownCondition is what scripts ask of the machine beside what testscript knows.
func knownCondition(cond string) (bool, error) {
	if cond == "root" {
		return os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %s", cond)
}
