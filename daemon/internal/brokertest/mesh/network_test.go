package mesh

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// network is namespaces around a bridge. The bridge is in one of its own, in which the
// clients are, so that nothing of it is seen by the machine, and two networks with
// the same addresses do not meet.
type network struct {
	t    testing.TB
	hub  string   // the namespace of the bridge and of the clients
	of   []string // the namespace of each node
	lags map[[2]int]*lag
}

// prefix begins the names of all namespaces made here; the process id follows.
const prefix = "nbmesh"

var networks atomic.Int32

// newNetwork makes a network of n nodes, and removes it when the test ends.
func newNetwork(t testing.TB, n int) *network {
	t.Helper()
	id := fmt.Sprintf("%s-%d-%d", prefix, os.Getpid(), networks.Add(1))
	w := &network{t: t, hub: id + "-hub", lags: map[[2]int]*lag{}}
	t.Cleanup(w.remove)
	w.ip("netns", "add", w.hub)
	w.ip("-n", w.hub, "link", "set", "lo", "up")
	w.ip("-n", w.hub, "link", "add", "br0", "type", "bridge")
	w.ip("-n", w.hub, "addr", "add", "10.77.0.254/24", "dev", "br0")
	w.ip("-n", w.hub, "link", "set", "br0", "up")
	for i := range n {
		ns := fmt.Sprintf("%s-%d", id, i)
		w.of = append(w.of, ns)
		port := fmt.Sprintf("p%d", i)
		w.ip("netns", "add", ns)
		w.ip("-n", w.hub, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", ns)
		w.ip("-n", w.hub, "link", "set", port, "master", "br0", "up")
		w.ip("-n", ns, "addr", "add", w.addr(i)+"/24", "dev", "eth0")
		w.ip("-n", ns, "link", "set", "lo", "up")
		w.ip("-n", ns, "link", "set", "eth0", "up")
	}
	return w
}

// addr is the address of a node.
func (w *network) addr(i int) string { return fmt.Sprintf("10.77.0.%d", i+1) }

func (w *network) ip(args ...string) { w.t.Helper(); w.run("ip", args...) }

func (w *network) run(name string, args ...string) {
	w.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func (w *network) remove() {
	for _, l := range w.lags {
		l.stop()
	}
	for _, ns := range append(w.of, w.hub) {
		_ = exec.Command("ip", "netns", "del", ns).Run()
	}
}

// sweep removes what test processes that were killed have left.
func sweep() {
	left, _ := filepath.Glob("/run/netns/" + prefix + "-*")
	for _, path := range left {
		name := filepath.Base(path)
		pid, err := strconv.Atoi(strings.Split(name, "-")[1])
		if err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			_ = exec.Command("ip", "netns", "del", name).Run()
		}
	}
}

// drop loses what one node sends to another, from now on. The sender is not told.
func (w *network) drop(from, to int) {
	w.t.Helper()
	w.run("ip", "netns", "exec", w.of[to], "nft", "add table ip mesh; add chain ip mesh in { type filter hook input priority 0; }; "+
		fmt.Sprintf("add rule ip mesh in ip saddr %s drop", w.addr(from)))
}

// heal lets everything through to a node again.
func (w *network) heal(to int) {
	w.t.Helper()
	w.run("ip", "netns", "exec", w.of[to], "nft", "delete table ip mesh")
}

// inside runs f on a thread that is in a namespace; what f opens stays there.
func inside(ns string, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", syscall.Gettid()))
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	there, err := os.Open("/run/netns/" + ns)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back == nil {
		runtime.UnlockOSThread() // otherwise the thread ends with its goroutine
	}
	return err
}

// Dial connects from among the clients. It serves nats.go and net/http.
func (w *network) Dial(kind, address string) (c net.Conn, err error) {
	return w.dialContext(context.Background(), kind, address)
}

func (w *network) dialContext(ctx context.Context, kind, address string) (c net.Conn, err error) {
	err = inside(w.hub, func() (err error) {
		var d net.Dialer
		c, err = d.DialContext(ctx, kind, address)
		return err
	})
	return c, err
}

// slow limits what a node sends to a rate, as tc(8) spells it.
func (w *network) slow(from int, rate string) {
	w.t.Helper()
	w.run("tc", "-n", w.of[from], "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "256k", "latency", "400ms")
}
