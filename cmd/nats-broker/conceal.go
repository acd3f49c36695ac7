package main

import (
	"os"
	"runtime/debug"
	"strings"
	"unsafe"

	"github.com/nats-broker/nats-broker/daemon/config"
)

// concealArguments overwrites the secrets on the command line where the kernel shows it to every user of the system
// (/proc/PID/cmdline, ps). The program goes on with a copy. Between the start of the process and here they can be seen:
// a password in a file is better.
func concealArguments() {
	args := make([]string, len(os.Args))
	for i, a := range os.Args {
		args[i] = strings.Clone(a)
	}
	shown := config.RedactArgs(args)
	original := os.Args
	os.Args = args
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _ = recover() }() // a command line that cannot be written to stays as it is
	for i := range args {
		if shown[i] == args[i] {
			continue
		}
		// The strings of os.Args lie in the memory that the kernel made for the process, see argv in execve(2).
		memory := unsafe.Slice(unsafe.StringData(original[i]), len(original[i]))
		for j := range memory {
			memory[j] = ' '
		}
		copy(memory, shown[i])
	}
}
