package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"unicode"
)

// program is a Go executable and what is linked into it.
type program struct {
	file    string // base name
	sha256  string // of the file, in hexadecimal
	goos    string
	goarch  string
	modules []module // sorted by path
}

// module is one module of a program's, the Go standard library among them.
type module struct {
	path, version string
	sum           string // h1:..., empty for the standard library
	licence       licence
}

func readAll(files []string) ([]program, error) {
	var all []program
	for _, file := range files {
		p, err := readProgram(file)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func readProgram(file string) (program, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return program{}, fmt.Errorf("%s: %w", file, err)
	}
	p := program{file: filepath.Base(file), sha256: fmt.Sprintf("%x", sha256.Sum256(data))}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			p.goos = s.Value
		case "GOARCH":
			p.goarch = s.Value
		}
	}
	std := module{path: "std", version: strings.TrimPrefix(info.GoVersion, "go")}
	if std.licence, err = findLicence(goEnv("GOROOT")); err != nil {
		return program{}, err
	}
	p.modules = append(p.modules, std)
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		m := module{path: dep.Path, version: dep.Version, sum: dep.Sum}
		if m.licence, err = findLicence(cacheDir(dep.Path, dep.Version)); err != nil {
			return program{}, fmt.Errorf("module %s: %w", dep.Path, err)
		}
		p.modules = append(p.modules, m)
	}
	sort.Slice(p.modules, func(i, j int) bool { return p.modules[i].path < p.modules[j].path })
	return p, nil
}

// union is the modules of all programs, each once, sorted.
func union(programs []program) []module {
	seen := map[string]bool{}
	var all []module
	for _, p := range programs {
		for _, m := range p.modules {
			if key := m.path + "@" + m.version; !seen[key] {
				seen[key] = true
				all = append(all, m)
			}
		}
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].path+"@"+all[i].version < all[j].path+"@"+all[j].version
	})
	return all
}

// cacheDir is where the go command keeps a module. It writes capital letters
// as ! and the small letter, for file systems that do not tell them apart.
func cacheDir(path, version string) string {
	var b strings.Builder
	for _, r := range path + "@" + version {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return filepath.Join(goEnv("GOMODCACHE"), filepath.FromSlash(b.String()))
}

var goEnvCache = map[string]string{}

func goEnv(name string) string {
	if v, ok := goEnvCache[name]; ok {
		return v
	}
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return ""
	}
	goEnvCache[name] = strings.TrimSpace(string(out))
	return goEnvCache[name]
}
