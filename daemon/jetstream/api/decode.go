package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Decode reads the body of a request. Of several JSON documents the last wins, where it says something.
// Strict, a field that v has not is an error; otherwise it is ignored.
func Decode(body []byte, strict bool, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	for {
		err := d.Decode(v)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			continue
		}
		if !strict {
			return renamed(json.Unmarshal(body, v))
		}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("%w at offset %d", err, syntax.Offset)
		}
		return renamed(err)
	}
}

// structs are what clients of nats-server know our types as: the names are in the texts of errors.
var structs = map[string]string{
	"StreamRequest": "StreamConfigRequest", "Transform": "SubjectTransformConfig", "Republish": "RePublish", "Source": "StreamSource",
	"External": "ExternalStream", "SourceConsumer": "StreamConsumerSource", "ConsumerLimits": "StreamConsumerLimits",
	"ConsumersRequest": "JSApiConsumersRequest", "PageRequest": "ApiPagedRequest", "NamesRequest": "JSApiStreamNamesRequest", "ListRequest": "JSApiStreamListRequest", "InfoRequest": "JSApiStreamInfoRequest",
	"PullRequest": "JSApiConsumerGetNextRequest", "ResetRequest": "JSApiConsumerResetRequest", "ConsumerRequest": "CreateConsumerRequest", "PauseRequest": "JSApiConsumerPauseRequest",
	"UnpinRequest": "JSApiConsumerUnpinRequest", "PurgeRequest": "JSApiStreamPurgeRequest", "DeleteRequest": "JSApiMsgDeleteRequest", "GetRequest": "JSApiMsgGetRequest",
}

// renamed gives an error of encoding/json the names of nats-server's types.
func renamed(err error) error {
	var e *json.UnmarshalTypeError
	if !errors.As(err, &e) {
		return err
	}
	kind := e.Type.String()
	if own := reflect.TypeFor[StreamConfig]().PkgPath(); e.Type.PkgPath() == own {
		kind = "server." + known(e.Type.Name())
	}
	if e.Struct == "" && e.Field == "" {
		return fmt.Errorf("json: cannot unmarshal %s into Go value of type %s", e.Value, kind)
	}
	field := e.Field
	if head, rest, ok := strings.Cut(field, "."); ok {
		field = known(head) + "." + rest
	}
	return fmt.Errorf("json: cannot unmarshal %s into Go struct field %s.%s of type %s", e.Value, known(e.Struct), field, kind)
}

func known(name string) string {
	if n, ok := structs[name]; ok {
		return n
	}
	return name
}

// IsDocument reports whether a body begins like a JSON object or array: some requests ignore every other.
func IsDocument(body []byte) bool {
	b := bytes.TrimLeft(body, " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

// IsEmpty reports whether a body says nothing: no bytes, or an object without fields.
func IsEmpty(body []byte) bool {
	if len(body) == 0 {
		return true
	}
	var v map[string]any
	return json.Unmarshal(body, &v) == nil && v != nil && len(v) == 0
}
