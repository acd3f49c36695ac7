package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

const passwdHelp = `Usage: nats-broker passwd [--cost N]

Make the bcrypt hash of a password, to be used in the configuration in its place:

  users: [ { user: alice, password: "$2a$11$..." } ]

On a terminal the password is asked for twice, without echo; otherwise it is the
first line of standard input. The hash goes to standard output.

  --cost N   work that checking a password costs, 4 to 31 (default 11); one more
             doubles it, for an attacker and for every connection made

Exit status:
  0  done
  1  the password cannot be read or hashed
  2  wrong usage
`

// passwdCost is the default cost, the one that the tools of NATS use.
const passwdCost = 11

func runPasswd(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("passwd", flag.ContinueOnError)
	cost := fs.Int("cost", passwdCost, "")
	_, status, ok := arguments(fs, args, 0, passwdHelp, stdout, stderr)
	if !ok {
		return status
	}
	if *cost < bcrypt.MinCost || *cost > bcrypt.MaxCost {
		return misused(stderr, fs.Name(), fmt.Sprintf("--cost must be from %d to %d", bcrypt.MinCost, bcrypt.MaxCost))
	}
	password, err := readPassword(stdin, stderr)
	if err != nil {
		return failed(stderr, fs.Name(), err)
	}
	hash, err := bcrypt.GenerateFromPassword(password, *cost)
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		err = errors.New("the password is longer than 72 bytes, and bcrypt would ignore the rest")
	}
	if err != nil {
		return failed(stderr, fs.Name(), err)
	}
	fmt.Fprintf(stdout, "%s\n", hash)
	return exitOK
}

// readPassword reads a password twice from a terminal, or once from anything else.
func readPassword(stdin io.Reader, stderr io.Writer) ([]byte, error) {
	f, ok := stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return notEmpty([]byte(strings.TrimRight(line, "\r\n")))
	}
	// What is typed at once must not be echoed either: the echo ends before the
	// question is asked, and comes back after the last answer.
	before, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, err
	}
	silent := *before
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &silent); err != nil {
		return nil, err
	}
	restore := func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, before) }
	defer restore()
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer func() { signal.Stop(stopped); close(stopped) }()
	go func() { // ends with the questions
		if s, ok := <-stopped; ok {
			restore()
			fmt.Fprintln(stderr)
			os.Exit(128 + int(s.(syscall.Signal)))
		}
	}()
	ask := func(prompt string) ([]byte, error) {
		fmt.Fprint(stderr, prompt)
		defer fmt.Fprintln(stderr)
		return term.ReadPassword(int(f.Fd()))
	}
	first, err := ask("Password: ")
	if err != nil {
		return nil, err
	}
	second, err := ask("Again: ")
	if err != nil {
		return nil, err
	}
	if string(first) != string(second) {
		return nil, errors.New("the passwords differ")
	}
	return notEmpty(first)
}

func notEmpty(password []byte) ([]byte, error) {
	if len(password) == 0 {
		return nil, errors.New("the password is empty")
	}
	return password, nil
}
