package config

import (
	"fmt"
	"io"
	"strings"
)

// A Command is a verb of the command line, for completion.
type Command struct {
	Name    string
	Summary string
	Sub     []Command
	Flags   []CommandFlag
	Args    string // what its arguments are completed with, as a flag's Words
}

// A CommandFlag is an option of a command.
type CommandFlag struct {
	Name, Doc string
	Value     bool   // whether it takes one
	Words     string // what the value is completed with: "files", a list of words, or nothing
}

// Shells are the shells that [Completion] knows.
var Shells = []string{"bash", "fish", "zsh"}

// Completion writes the completion script of a shell for the command name: its flags, the given verbs, and option names
// for `config explain`.
func Completion(w io.Writer, shell, name string, commands []Command) error {
	var b strings.Builder
	switch shell {
	case "bash":
		bashCompletion(&b, name, commands)
	case "fish":
		fishCompletion(&b, name, commands)
	case "zsh":
		zshCompletion(&b, name, commands)
	default:
		return fmt.Errorf("no completion for the shell %q: there is %s", shell, strings.Join(Shells, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// dashed is a flag as it is usually typed: one dash for short and for capital names, else two.
func dashed(name string) string {
	if len(name) <= 2 || strings.ToUpper(name) == name {
		return "-" + name
	}
	return "--" + name
}

// dashedNames are all names of a flag.
func (f *Flag) dashedNames() []string {
	list := make([]string, len(f.Names))
	for i, n := range f.Names {
		list[i] = dashed(n)
	}
	return list
}

// signals are the words of -sl.
var signals = []string{"ldm", "stop", "quit", "term", "reopen", "reload"}

// words are what the value of a flag is completed with: "files", "dirs", a list of words, or nothing.
func (f *Flag) words() string {
	switch {
	case f.action == actSignal:
		return strings.Join(signals, " ")
	case f.Arg == "file":
		return "files"
	case f.Arg == "dir":
		return "dirs"
	}
	return ""
}

// summary is the first line of what a flag does, without what needs quoting in a script.
func (f *Flag) summary() string {
	line, _, _ := strings.Cut(f.Doc, "\n")
	return plainText(line)
}

func plainText(s string) string {
	return strings.NewReplacer("'", "", "[", "(", "]", ")", ":", "", "`", "", "$", "").Replace(s)
}

// Explainable are the paths that `config explain` takes.
func Explainable() []string {
	var list []string
	Walk(func(o *Option) { list = append(list, o.Path) })
	return list
}

func commandNames(list []Command) string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Name
	}
	return strings.Join(names, " ")
}

func bashCompletion(b *strings.Builder, name string, commands []Command) {
	fn := "_" + strings.ReplaceAll(name, "-", "_")
	fmt.Fprintf(b, "# bash completion for %s, made from its tables of flags and options\n%s()\n{\n", name, fn)
	b.WriteString("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n\tCOMPREPLY=()\n")
	b.WriteString("\tif [ \"$COMP_CWORD\" -gt 1 ]; then\n\t\tcase ${COMP_WORDS[1]} in\n")
	for _, c := range commands {
		fmt.Fprintf(b, "\t\t%s)\n", c.Name)
		if len(c.Sub) == 0 {
			bashCommand(b, c)
		} else {
			fmt.Fprintf(b, "\t\t\tif [ \"$COMP_CWORD\" = 2 ]; then\n\t\t\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n\t\t\t\treturn\n\t\t\tfi\n", commandNames(c.Sub))
			b.WriteString("\t\t\tcase ${COMP_WORDS[2]} in\n")
			for _, s := range c.Sub {
				fmt.Fprintf(b, "\t\t\t%s)\n", s.Name)
				bashCommand(b, s)
				b.WriteString("\t\t\t\t;;\n")
			}
			b.WriteString("\t\t\tesac\n")
		}
		b.WriteString("\t\t\treturn ;;\n")
	}
	b.WriteString("\t\tesac\n\tfi\n\tcase $prev in\n")
	var all []string
	for i := range Flags {
		f := &Flags[i]
		all = append(all, f.dashedNames()...)
		if f.Arg == "" {
			continue
		}
		fmt.Fprintf(b, "\t%s)\n", strings.Join(f.dashedNames(), "|"))
		switch w := f.words(); w {
		case "files", "dirs":
			fmt.Fprintf(b, "\t\tmapfile -t COMPREPLY < <(compgen -%s -- \"$cur\")\n", w[:1])
			b.WriteString("\t\tcompopt -o filenames\n")
		case "":
		default:
			fmt.Fprintf(b, "\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n", w)
		}
		b.WriteString("\t\treturn ;;\n")
	}
	b.WriteString("\tesac\n\tcase $cur in\n")
	fmt.Fprintf(b, "\t-*) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\") ;;\n", strings.Join(all, " "))
	fmt.Fprintf(b, "\t*) [ \"$COMP_CWORD\" != 1 ] || mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\") ;;\n", commandNames(commands))
	fmt.Fprintf(b, "\tesac\n}\ncomplete -F %s %s\n", fn, name)
}

// bashCommand completes the options of one command, their values, and its arguments.
func bashCommand(b *strings.Builder, c Command) {
	b.WriteString("\t\t\tcase $prev in\n")
	var names []string
	for _, f := range c.Flags {
		names = append(names, dashed(f.Name))
		if f.Value {
			fmt.Fprintf(b, "\t\t\t%s)\n", dashed(f.Name))
			bashWords(b, f.Words)
			b.WriteString("\t\t\t\treturn ;;\n")
		}
	}
	fmt.Fprintf(b, "\t\t\tesac\n\t\t\tcase $cur in\n\t\t\t-*) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\") ;;\n\t\t\t*)\n\t\t\t\t:\n", strings.Join(append(names, "--help"), " "))
	bashWords(b, c.Args)
	b.WriteString("\t\t\t\t;;\n\t\t\tesac\n")
}

func bashWords(b *strings.Builder, words string) {
	switch words {
	case "":
	case "files":
		b.WriteString("\t\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n\t\t\t\tcompopt -o filenames\n")
	default:
		fmt.Fprintf(b, "\t\t\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n", words)
	}
}

func fishCompletion(b *strings.Builder, name string, commands []Command) {
	fmt.Fprintf(b, "# fish completion for %s, made from its tables of flags and options\ncomplete -c %s -f\n", name, name)
	for i := range Flags {
		f := &Flags[i]
		fmt.Fprintf(b, "complete -c %s -n 'not __fish_seen_subcommand_from %s'", name, commandNames(commands))
		for _, n := range f.Names {
			switch {
			case len(n) == 1:
				fmt.Fprintf(b, " -s %s", n)
			case len(n) == 2 || strings.ToUpper(n) == n:
				fmt.Fprintf(b, " -o %s", n)
			default:
				fmt.Fprintf(b, " -l %s", n)
			}
		}
		if f.Arg != "" {
			b.WriteString(" -r")
			switch w := f.words(); w {
			case "files":
				b.WriteString(" -F")
			case "dirs":
				b.WriteString(" -a '(__fish_complete_directories)'")
			case "":
			default:
				fmt.Fprintf(b, " -a '%s'", w)
			}
		}
		fmt.Fprintf(b, " -d '%s'\n", f.summary())
	}
	for _, c := range commands {
		fmt.Fprintf(b, "complete -c %s -n __fish_use_subcommand -a %s -d '%s'\n", name, c.Name, plainText(c.Summary))
		for _, s := range c.Sub {
			fmt.Fprintf(b, "complete -c %s -n '__fish_seen_subcommand_from %s; and test (count (commandline -opc)) -eq 2' -a %s -d '%s'\n",
				name, c.Name, s.Name, plainText(s.Summary))
			fishCommand(b, name, fmt.Sprintf("__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s", c.Name, s.Name), s)
		}
		if len(c.Sub) == 0 {
			fishCommand(b, name, "__fish_seen_subcommand_from "+c.Name, c)
		}
	}
}

// fishCommand completes the options of one command, their values, and its arguments.
func fishCommand(b *strings.Builder, name, when string, c Command) {
	for _, f := range c.Flags {
		form := map[int]string{1: "-s"}[len(f.Name)]
		if form == "" {
			form = "-l"
		}
		fmt.Fprintf(b, "complete -c %s -n '%s' %s %s", name, when, form, f.Name)
		if f.Value {
			b.WriteString(" -r" + fishWords(f.Words))
		}
		fmt.Fprintf(b, " -d '%s'\n", plainText(f.Doc))
	}
	fmt.Fprintf(b, "complete -c %s -n '%s' -l help -d 'Explain the command'\n", name, when)
	if c.Args != "" {
		fmt.Fprintf(b, "complete -c %s -n '%s'%s\n", name, when, fishWords(c.Args))
	}
}

func fishWords(words string) string {
	switch words {
	case "":
		return ""
	case "files":
		return " -F"
	}
	return " -a '" + words + "'"
}

func zshCompletion(b *strings.Builder, name string, commands []Command) {
	fn := "_" + name
	fmt.Fprintf(b, "#compdef %s\n# zsh completion for %s, made from its tables of flags and options\n%s() {\n", name, name, fn)
	b.WriteString("\tlocal -a commands\n\tcommands=(\n")
	for _, c := range commands {
		fmt.Fprintf(b, "\t\t'%s:%s'\n", c.Name, plainText(c.Summary))
	}
	b.WriteString("\t)\n\tcase ${words[2]} in\n")
	for _, c := range commands {
		fmt.Fprintf(b, "\t%s)\n\t\t(( CURRENT > 2 )) || return\n", c.Name)
		if len(c.Sub) == 0 {
			b.WriteString("\t\tshift words; (( CURRENT-- ))\n")
			zshCommand(b, c)
			b.WriteString("\t\treturn ;;\n")
			continue
		}
		b.WriteString("\t\tlocal -a sub\n\t\tsub=(\n")
		for _, s := range c.Sub {
			fmt.Fprintf(b, "\t\t\t'%s:%s'\n", s.Name, plainText(s.Summary))
		}
		b.WriteString("\t\t)\n\t\tif (( CURRENT == 3 )); then\n\t\t\t_describe command sub\n\t\t\treturn\n\t\tfi\n\t\tshift 2 words; (( CURRENT -= 2 ))\n\t\tcase ${words[1]} in\n")
		for _, s := range c.Sub {
			fmt.Fprintf(b, "\t\t%s)\n", s.Name)
			zshCommand(b, s)
			b.WriteString("\t\t\t;;\n")
		}
		b.WriteString("\t\tesac\n\t\treturn ;;\n")
	}
	b.WriteString("\tesac\n\t_arguments -S \\\n")
	for i := range Flags {
		f := &Flags[i]
		value := ""
		if f.Arg != "" {
			arg := plainText(strings.NewReplacer("<", "", ">", "").Replace(f.Arg))
			switch w := f.words(); w {
			case "files":
				value = ":" + arg + ":_files"
			case "dirs":
				value = ":" + arg + ":_files -/"
			case "":
				value = ":" + arg + ":"
			default:
				value = ":" + arg + ":(" + w + ")"
			}
		}
		for _, n := range f.dashedNames() {
			fmt.Fprintf(b, "\t\t'%s[%s]%s' \\\n", n, f.summary(), value)
		}
	}
	b.WriteString("\t\t'1:command:{_describe command commands}' \\\n\t\t'*::argument:_files'\n}\n")
	fmt.Fprintf(b, "%s \"$@\"\n", fn)
}

// zshCommand completes the options of one command, their values, and its arguments.
func zshCommand(b *strings.Builder, c Command) {
	b.WriteString("\t\t_arguments -S \\\n")
	for _, f := range c.Flags {
		value := ""
		if f.Value {
			value = ":" + f.Name + ":" + zshAction(f.Words)
		}
		fmt.Fprintf(b, "\t\t\t'%s[%s]%s' \\\n", dashed(f.Name), plainText(f.Doc), value)
	}
	if c.Args != "" {
		fmt.Fprintf(b, "\t\t\t'*:argument:%s' \\\n", zshAction(c.Args))
	}
	b.WriteString("\t\t\t'--help[explain the command]'\n")
}

func zshAction(words string) string {
	switch words {
	case "":
		return ""
	case "files":
		return "_files"
	}
	return "(" + words + ")"
}
