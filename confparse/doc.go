// Package confparse reads the NATS configuration dialect into a tree whose
// every value knows where it was written.
//
// The package knows the syntax and nothing else: which keys exist and what
// they mean is the business of whoever walks the tree. It imports only the
// standard library.
//
// # The dialect
//
// A file is a list of entries, a key and a value each:
//
//	port: 4222            # key, ':', value
//	port = 4222           // key, '=', value
//	port 4222             # key, space, value
//	cluster { port: 1 }   # a map
//	routes: [ nats://a:1, nats://b:2 ]
//
// Entries end at a new line, a comma or a semicolon; the whole file may stand
// in braces, so JSON is a subset. Keys are case-sensitive here; a later entry
// of the same key replaces an earlier one (its place is remembered in
// [Entry.Shadows]).
//
// Values are
//
//	true false yes no on off          booleans, in any case
//	4222  -1                          integers, 64 bits, signed
//	1k 1m 1g 1t 1p 1e                 integers times 1000, 1000², …
//	1kb 1ki 1kib 1mb …                integers times 1024, 1024², …
//	2.5                               floats
//	2026-11-22T18:00:00Z              times, always in UTC
//	127.0.0.1:4222  some/text         bare strings, up to white space , ; ] }
//	"a \"b\" \x41 \t"                 strings with escapes \x \t \n \r \" \\
//	'as it stands'                    strings without escapes
//	( … )                             block strings; ')' stands alone on a line
//	$NAME                             a variable
//	$2a$…                             a bcrypt hash, taken as it stands
//	[ v, v … ]  { key: v … }          arrays and maps, nested as needed
//
// A variable is looked up in the maps around it, innermost first, among the
// entries above it, and then in the environment, whose text is read as a value
// of the dialect.
//
// `include "file"` puts the entries of another file in its place. The name is
// relative to the directory of the including file, also when it begins with a
// slash. An included file does not see the variables of the file that includes
// it.
//
// # Agreement with nats-server
//
// Parse accepts what nats-server 2.15.3 accepts and gives the values it gives,
// its peculiarities included (a bare `10-20` is a broken date, a block string
// that ends with the file keeps its parenthesis, `foo:` followed by the end of
// the file is an empty string). Deliberate differences:
//
//   - A byte order mark at the beginning is skipped.
//   - Where nats-server accepts a text and silently drops or misplaces part of
//     it, Parse reports an error: a quote or array still open when the file
//     ends, `key }` without a value, a number with a suffix that does not exist
//     (`1kbb`), a number that overflows 64 bits once its suffix is applied.
//   - A file that includes itself is an error; nats-server crashes.
//   - Values nest at most 1000 deep.
//
// # Errors
//
// Parse does not stop at the first mistake: it reports it, finds the next place
// that makes sense, and goes on. What it returns is an [Errors], sorted by
// place; [Errors.Render] shows each with its line and a caret.
package confparse
