package config

import (
	"fmt"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
)

// A Kind is a way to write a value: what is accepted, how it is read, what it is called.
type Kind struct {
	// Name is the word of the documentation: "boolean", "size", "duration", "block".
	Name string
	// expects completes "must be …"; empty: Name with its article.
	expects string
	// scalar: one value, which the environment and a flag can set.
	scalar bool
	// elements is what a path has between a list or map and the keys of its elements.
	elements string
	// decode reads v into the field at into, or only checks it when into is nil.
	decode func(d *decoder, at place, v *confparse.Value, into any)
}

// String returns the kind's name.
func (k *Kind) String() string { return k.Name }

// want says in the user's words what a value of opt has to be.
func (k *Kind) want(opt *Option) string {
	if len(opt.Values) > 0 {
		return "one of " + strings.Join(quoteAll(opt.Values), ", ")
	}
	return k.expects
}

func quoteAll(list []string) []string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return quoted
}

// put stores v at into, if there is a place for it.
func put[T any](into any, v T) {
	if into != nil {
		*into.(*T) = v
	}
}

// The scalar kinds.
var (
	Boolean  = &Kind{Name: "boolean", expects: "true or false", scalar: true, decode: decodeBool}
	Integer  = &Kind{Name: "number", expects: "a whole number", scalar: true, decode: decodeInt}
	Port     = &Kind{Name: "port", expects: "a port number", scalar: true, decode: decodeInt}
	Size     = &Kind{Name: "size", expects: "a size in bytes such as 1048576 or 1MB", scalar: true, decode: decodeSize}
	Count    = &Kind{Name: "number", expects: "a whole number", scalar: true, decode: decodeSize}
	String   = &Kind{Name: "string", expects: "a string", scalar: true, decode: decodeString}
	Path     = &Kind{Name: "path", expects: "the path of a file or directory", scalar: true, decode: decodeString}
	Subject  = &Kind{Name: "subject", expects: "a subject", scalar: true, decode: decodeString}
	Word     = &Kind{Name: "word", expects: "a word", scalar: true, decode: decodeWord}
	Duration = &Kind{Name: "duration", expects: `a duration such as "10s" or "2m"`, scalar: true, decode: decodeDuration}
	Span     = &Kind{Name: "duration", expects: `a duration in quotes or words, such as "10s" or "2m"`, scalar: true, decode: decodeSpan}
	Seconds  = &Kind{Name: "seconds", expects: `a number of seconds or a duration such as "2s"`, scalar: true, decode: decodeSeconds}
	Address  = &Kind{Name: "address", expects: "a port or host:port", scalar: true, decode: decodeAddress}
	Percent  = &Kind{Name: "percentage", expects: percentForm, scalar: true, decode: decodePercent}
	First    = &Kind{Name: "handshake", expects: `true, false, "auto" or a duration`, scalar: true, decode: decodeFirst}
	// SecretFile names a file; what is kept is what the file holds.
	SecretFile = &Kind{Name: "path", expects: "the path of a file", scalar: true, decode: decodeSecretFile}
	Verify     = &Kind{Name: "boolean or optional", expects: `true, false or "optional"`, scalar: true, decode: decodeVerify}
	Version    = &Kind{Name: "TLS version", expects: `a TLS version such as "1.2" or "1.3"`, scalar: true, decode: decodeVersion}
)

// The kinds that hold several values.
var (
	Strings   = &Kind{Name: "list of strings", expects: "a string or a list of strings", decode: decodeStrings}
	StringMap = &Kind{Name: "map of strings", expects: "a map of strings", decode: decodeStringMap}
	BoolMap   = &Kind{Name: "map of booleans", expects: "a map of true and false", decode: decodeBoolMap}
	URLs      = &Kind{Name: "list of URLs", expects: "a list of URLs", decode: decodeURLs}
	URLOrList = &Kind{Name: "list of URLs", expects: "a URL or a list of URLs", decode: decodeURLOrList}
	Durations = &Kind{Name: "list of durations", expects: "a list of durations", decode: decodeDurations}
	Ciphers   = &Kind{Name: "list of cipher suites", expects: "a list of cipher suite names", decode: decodeCiphers}
	Curves    = &Kind{Name: "list of curves", expects: "a list of curve names", decode: decodeCurves}
	Pins      = &Kind{Name: "list of fingerprints", expects: "a list of SHA-256 fingerprints in hex", decode: decodePins}
	ConnTypes = &Kind{Name: "list of connection types", expects: "a connection type or a list of them", decode: decodeConnTypes}
	// AccountNames is a list whose absence and emptiness differ: everybody, nobody.
	AccountNames = &Kind{Name: "list of accounts", expects: "a list of account names", decode: decodeAccountNames}
	UserNames    = &Kind{Name: "list of users", expects: "a list of user names or nkeys", decode: decodeAccountNames}
	Block        = &Kind{Name: "block", expects: "a block { … }", decode: decodeBlock}
	Blocks       = &Kind{Name: "list of blocks", expects: "a list of blocks [ { … } … ]", elements: "[]", decode: decodeBlocks}
	BlockMap     = &Kind{Name: "map of blocks", expects: "a map of blocks { name { … } … }", elements: ".*", decode: decodeBlockMap}
)

// The kinds that have more than one form.
var (
	Rules       = &Kind{Name: "subjects or block", expects: "a subject, a list of subjects, or a block with allow and deny", decode: decodeRules(false)}
	QueueRules  = &Kind{Name: "subjects or block", expects: "a subject, a list of subjects, or a block with allow and deny", decode: decodeRules(true)}
	Responses   = &Kind{Name: "boolean or block", expects: "true, false or a block", decode: decodeResponses}
	Compressing = &Kind{Name: "mode or block", expects: "a compression mode, true, false or a block", decode: decodeCompression}
	Sampling    = &Kind{Name: "subject or block", expects: "a subject or a block", decode: decodeSubjectOrBlock}
	AccountSet  = &Kind{Name: "names or map of blocks", expects: "a map of accounts, or a list of account names", elements: ".*", decode: decodeAccounts}
	MappingSet  = &Kind{Name: "map of mappings", expects: "a map from subjects to destinations", elements: ".*", decode: decodeMappings}
	Switch      = &Kind{Name: "boolean or block", expects: `true, false, "enabled", "disabled" or a block`, decode: decodeSwitch}
	Resolving   = &Kind{Name: "word or block", expects: "MEMORY, URL(\"…\") or a block with type and dir", decode: decodeResolver}
	JWTFiles    = &Kind{Name: "list of strings", expects: "a JWT or the path of a file that holds one, or a list of them", decode: decodeJWTs}
	Size64      = &Kind{Name: "size", expects: "a size such as 1073741824 or 1G", scalar: true, decode: decodeStoreSize}
	DurationOr  = &Kind{Name: "duration or word", expects: `a duration or one of its words`, scalar: true, decode: decodeDurationOrWord}
)
