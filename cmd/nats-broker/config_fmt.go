package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/nats-broker/nats-broker/confparse"
)

const configFormatHelp = `Usage: nats-broker config fmt [-w | --check | --diff] FILE

Lay out a configuration file: an entry a line, two spaces a level. Comments, the
order of entries and the spelling of values stay; what the file means does not
change. The result goes to standard output. With - for FILE, standard input is read.
Included files are not touched.

  -w         write the result back to the file, if it differs
  --check    write nothing but the name of the file if it differs, and exit with 1
  --diff     write what differs, as patch(1) takes it, and exit with 1 if anything does

Exit status:
  0  done
  1  the file cannot be parsed, read or written; it is not changed; or, with
     --check or --diff, it is laid out in another way
  2  wrong usage
`

func configFormat(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("config fmt", flag.ContinueOnError)
	write := fs.Bool("w", false, "")
	check, diff := fs.Bool("check", false, ""), fs.Bool("diff", false, "")
	rest, status, ok := arguments(fs, args, 1, configFormatHelp, stdout, stderr)
	if !ok {
		return status
	}
	if len(rest) == 0 {
		return misused(stderr, fs.Name(), "which file?")
	}
	if *write && (*check || *diff) {
		return misused(stderr, fs.Name(), "-w writes the file, --check and --diff leave it alone")
	}
	file := rest[0]
	var text []byte
	var err error
	if file == "-" {
		if *write {
			return misused(stderr, fs.Name(), "standard input cannot be written back")
		}
		text, err = io.ReadAll(stdin)
		file = "standard input"
	} else if info, bad := os.Stat(file); *write && bad == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", file)
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return failed(stderr, fs.Name(), err)
	}
	out, err := confparse.Format(file, text)
	var errs confparse.Errors
	switch {
	case errors.As(err, &errs):
		_ = errs.Render(stderr, isTerminal(stderr))
		return exitFail
	case err != nil:
		return failed(stderr, fs.Name(), err)
	case *check || *diff:
		return differs(fs.Name(), file, text, out, *diff, stdout, stderr)
	case !*write:
		_, err = stdout.Write(out)
	case !bytes.Equal(text, out):
		err = replaceFile(file, out)
	}
	if err != nil {
		return failed(stderr, fs.Name(), err)
	}
	return exitOK
}

// differs is --check and --diff.
func differs(verb, file string, text, out []byte, diff bool, stdout, stderr io.Writer) int {
	if bytes.Equal(text, out) {
		return exitOK
	}
	var err error
	if diff {
		err = writeDiff(stdout, file, text, out)
	} else {
		_, err = fmt.Fprintln(stdout, file)
	}
	if err != nil {
		return failed(stderr, verb, err)
	}
	return exitFail
}

// replaceFile puts a file with new content in the place of an existing one, in one step, with the same mode and owner.
// A link stays a link.
func replaceFile(path string, content []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.Write(content); err != nil {
		return err
	}
	if err := keepOwner(tmp, info); err != nil {
		return err
	}
	if err := tmp.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
