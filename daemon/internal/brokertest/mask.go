package brokertest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/nats-io/nkeys"
)

// maskInfo replaces what differs from server to server and from run to run in
// the JSON of an INFO line, keeps everything else byte for byte, the order of
// the fields included, and says so when a value does not have the form that
// clients rely on. git_commit is dropped: a server built from a module archive
// has none.
func maskInfo(line string, port int) string {
	open := strings.IndexByte(line, '{')
	end := strings.LastIndexByte(line, '}')
	if open < 0 || end < open {
		return line
	}
	fields, err := splitObject(line[open : end+1])
	if err != nil {
		return line + " (not JSON: " + err.Error() + ")"
	}
	var id string
	var kept []string
	for _, f := range fields {
		switch f.key {
		case "git_commit":
			continue
		case "server_id":
			id = f.value
			f.value = mask(nkeys.IsValidPublicServerKey(unquote(id)), "server nkey", id)
		case "server_name":
			if f.value == id {
				f.value = "(server_id)"
			}
		case "xkey":
			f.value = mask(nkeys.IsValidPublicCurveKey(unquote(f.value)), "curve nkey", f.value)
		case "go":
			f.value = mask(strings.HasPrefix(f.value, `"go1.`), "go version", f.value)
		case "port":
			if f.value == strconv.Itoa(port) {
				f.value = "(port)"
			}
		case "client_id":
			n, err := strconv.ParseUint(f.value, 10, 64)
			f.value = mask(err == nil && n > 0, "number", f.value)
		case "nonce":
			f.value = mask(nonceForm.MatchString(f.value), "nonce", f.value)
		case "connect_urls":
			f.value = strings.ReplaceAll(f.value, ":"+strconv.Itoa(port)+`"`, `:(port)"`)
		}
		kept = append(kept, `"`+f.key+`":`+f.value)
	}
	return line[:open+1] + strings.Join(kept, ",") + line[end:]
}

var nonceForm = regexp.MustCompile(`^"[A-Za-z0-9_-]{15}"$`)

func mask(ok bool, what, value string) string {
	if ok {
		return "(" + what + ")"
	}
	return fmt.Sprintf("(NOT a %s: %s)", what, value)
}

func unquote(s string) string { return strings.Trim(s, `"`) }

type field struct{ key, value string }

// splitObject returns the members of a JSON object in order, values as they stand.
func splitObject(text string) ([]field, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var list []field
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		list = append(list, field{fmt.Sprint(key), string(value)})
	}
	return list, nil
}
