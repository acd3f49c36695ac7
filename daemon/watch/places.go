package watch

import (
	"os"
	"path/filepath"
	"strings"
)

// maxLinks bounds the links followed on one path, as the kernel does (ELOOP).
const maxLinks = 40

// places says where to listen: directory → the names in it that matter. The
// name "" means every name.
type places map[string]map[string]bool

func (p places) add(dir, name string) {
	if p[dir] == nil {
		p[dir] = map[string]bool{}
	}
	p[dir][name] = true
}

// matters reports whether an event for path concerns a watched file.
func (p places) matters(path string) bool {
	if _, ok := p[path]; ok {
		return true // the directory itself went or came
	}
	names := p[filepath.Dir(path)]
	return names[""] || names[filepath.Base(path)]
}

// placesFor lists the directories in which a change could make any of the
// paths lead somewhere else.
func placesFor(paths []string) places {
	p := places{}
	for _, path := range paths {
		if abs, err := filepath.Abs(path); err == nil {
			p.walk(abs)
		}
	}
	return p
}

// walk follows one absolute path component by component.
func (p places) walk(path string) {
	dir, rest := "/", strings.Split(strings.TrimPrefix(path, "/"), "/")
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			dir = filepath.Dir(dir)
			continue
		}
		here := filepath.Join(dir, name)
		info, err := os.Lstat(here)
		if err != nil {
			// Not there yet: its directory will say when it comes.
			p.add(dir, name)
			p.addParent(dir)
			return
		}
		if info.Mode()&os.ModeSymlink != 0 {
			p.add(dir, name)
			p.addParent(dir)
			if links++; links > maxLinks {
				return
			}
			target, err := os.Readlink(here)
			if err != nil {
				return
			}
			if filepath.IsAbs(target) {
				dir = "/"
			}
			rest = append(strings.Split(target, "/"), rest...)
			continue
		}
		if len(rest) == 0 {
			p.add(dir, name)
			p.addParent(dir)
			if info.IsDir() {
				p.add(here, "")
			}
			return
		}
		dir = here
	}
}

// addParent listens for dir itself being deleted, renamed or recreated.
func (p places) addParent(dir string) {
	if dir != "/" {
		p.add(filepath.Dir(dir), filepath.Base(dir))
	}
}
