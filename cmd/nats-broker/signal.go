package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nats-broker/nats-broker/daemon"
)

// sendSignal does -sl and returns the exit code.
func sendSignal(id daemon.Identity, spec string, stderr io.Writer) int {
	if err := daemon.SendSignal(spec); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", id.Name, err)
		return exitFail
	}
	return exitOK
}

// readSecret reads a file that holds one secret; white space at its end does
// not count.
func readSecret(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(data), " \t\r\n"), nil
}
