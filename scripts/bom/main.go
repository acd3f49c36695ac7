// Command bom reads the modules that are linked into a Go program and writes
// what has to be said about them.
//
//	bom spdx NAME VERSION BINARY...   an SPDX 2.3 document (JSON) on standard output
//	bom copyright BINARY...           a Debian copyright file, with every licence in full
//
// The licences are read from the module cache. The output depends on nothing but
// the binaries, those licences and SOURCE_DATE_EPOCH.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bom:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	out := bufio.NewWriter(stdout)
	switch {
	case len(args) >= 4 && args[0] == "spdx":
		programs, err := readAll(args[3:])
		if err != nil {
			return err
		}
		if err := writeSPDX(out, args[1], args[2], programs); err != nil {
			return err
		}
	case len(args) >= 2 && args[0] == "copyright":
		programs, err := readAll(args[1:])
		if err != nil {
			return err
		}
		if err := writeCopyright(out, programs); err != nil {
			return err
		}
	default:
		return fmt.Errorf("usage: bom spdx NAME VERSION BINARY... | bom copyright BINARY...")
	}
	return out.Flush()
}
