package brokertest

import (
	"net"
	"strconv"
	"syscall"
	"testing"
)

// What is left of looking for a free port, in a program that is just being started, must neither look like the server
// nor be in its way.
func TestFreePortLeavesNoTrace(t *testing.T) {
	port := FreePort(t)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := bind(fd, port); err != nil {
		t.Fatal(err)
	}
	if found, err := listening("/proc/net", port); found || err != nil {
		t.Errorf("a port that is bound only is listened on: %v, %v", found, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if bindable(port) == nil {
		t.Error("a port that somebody listens on is free")
	}
}
