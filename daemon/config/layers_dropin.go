package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/nats-broker/nats-broker/confparse"
)

// PackagedFile is the main file of the packages. Its drop-ins come from the vendor, the running system and the
// administrator, in the sense of systemd.unit(5); any other main file has those in FILE.d.
const PackagedFile = "/etc/nats/nats.conf"

// packagedDropIns are the directories of its drop-ins, weakest first.
var packagedDropIns = []string{"/usr/lib/nats/nats.conf.d", "/run/nats/nats.conf.d", "/etc/nats/nats.conf.d"}

// dropInDirs are the directories of drop-ins for the main file, weakest first.
func (p *Places) dropInDirs() []string {
	root := filepath.Join("/", p.Root)
	if abs, err := filepath.Abs(p.File); err != nil || abs != filepath.Join(root, PackagedFile) {
		return []string{p.File + ".d"}
	}
	dirs := make([]string, len(packagedDropIns))
	for i, dir := range packagedDropIns {
		dirs[i] = filepath.Join(root, dir)
	}
	return dirs
}

// layDropIns puts the drop-ins over the main file, of which these are the files. Who keeps includes of the main file in
// the directory of drop-ins, in whatever place of it they belong, does not want them read once more: a file that is
// included is not a drop-in.
func (l *layers) layDropIns(included []confparse.File) confparse.Errors {
	l.Dirs = l.places.dropInDirs()
	if l.places.DropIns != nil {
		return l.lay(*l.places.DropIns, nil)
	}
	paths, missed, errs := dropIns(l.Dirs)
	l.Missed = missed
	return append(errs, l.lay(paths, included)...)
}

// lay puts files over the tree, but for those that are included already.
func (l *layers) lay(paths []string, included []confparse.File) (errs confparse.Errors) {
	for _, path := range paths {
		if slices.ContainsFunc(included, func(f confparse.File) bool { return sameFile(f.Path, path) }) {
			continue
		}
		over, found := l.parse(path, LayerDropIn)
		errs = append(errs, found...)
		if over.Root.Fields().Len() > 0 {
			l.Tree = confparse.Merge(l.Tree, over.Root)
		}
	}
	return errs
}

// dropIns lists the drop-ins that count, in the order in which they are laid over the main file: by file name, each
// name once, from the strongest directory that has it. An empty file or a link to /dev/null hides the files of its name
// in weaker directories. Such files, and those of which nothing can be found out, are missed.
func dropIns(dirs []string) (paths, missed []string, errs confparse.Errors) {
	byName := map[string]string{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
				errs = append(errs, confparse.Errorf(confparse.Span{}, "cannot read drop-ins: %v", err))
			}
			continue
		}
		for _, e := range entries {
			name := e.Name()
			if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".conf") {
				continue
			}
			path := filepath.Join(dir, name)
			hides, err := masks(path)
			if err != nil || hides {
				missed = append(missed, path)
			}
			switch {
			case err != nil:
				errs = append(errs, confparse.Errorf(confparse.Span{}, "cannot read drop-in: %v", err))
			case hides:
				delete(byName, name)
			default:
				byName[name] = path
			}
		}
	}
	for _, path := range byName {
		paths = append(paths, path)
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return paths, missed, errs
}

// masks reports whether the file at path is empty or /dev/null. A directory is a mistake: nobody calls one *.conf on
// purpose.
func masks(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return false, err
	case info.IsDir():
		return false, fmt.Errorf("%s is a directory", path)
	case info.Mode().IsRegular():
		return info.Size() == 0, nil
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null), nil
}

func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}
