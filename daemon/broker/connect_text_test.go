package broker

import (
	"encoding/json"
	"reflect"
	"testing"
)

// plainConnects is what clients write; all of it is to be read without encoding/json.
var plainConnects = []string{
	`{}`,
	`{"verbose":false,"pedantic":false,"tls_required":false,"name":"","lang":"go","version":"1.55.0","protocol":1,"echo":true,"headers":true,"no_responders":true}`,
	"{ \"verbose\" : true ,\t\"echo\":false, \"protocol\": 0 }\r\n",
	`{"user":"alice","pass":"s3cr3t!","auth_token":"t","nkey":"UA","sig":"c2ln","jwt":"eyJ.a.b","account":"A","new_account":true,"proxy_sig":"p","name":"n","protocol":2}`,
	`{"name":"first","name":"second"}`,
}

// otherConnects is left to encoding/json, which takes some of it.
var otherConnects = []string{
	``, ` `, `{`, `}`, `null`, `[]`, `"name"`, `{"name"}`, `{"name":}`, `{"name":"a",}`, `{"name":"a"}}`, `{"name":"a"} x`, `{,}`,
	`{"Name":"a"}`, `{"name":"\u0041"}`, `{"name":"a\"b"}`, `{"name":"ä"}`, "{\"name\":\"\xff\"}", "{\"name\":\"a\tb\"}", `{"name":null}`,
	`{"name":1}`, `{"verbose":1}`, `{"verbose":"true"}`, `{"verbose":truefalse}`, `{"verbose":tru}`, `{"protocol":01}`, `{"protocol":10}`,
	`{"protocol":-1}`, `{"protocol":1.0}`, `{"protocol":1e0}`, `{"protocol":"1"}`, `{"protocol":1x}`, `{"protocol":1`, `{"unknown":1}`,
	`{"unknown":{"a":[1,2]},"name":"n"}`, `{"verbose":true "echo":true}`, `{"name":"a";"lang":"b"}`, `{"na\u006de":"a"}`,
}

func TestPlainConnect(t *testing.T) {
	for _, text := range plainConnects {
		if !sameAsJSON(t, text) {
			t.Errorf("%s is left to encoding/json", text)
		}
	}
	for _, text := range otherConnects {
		if sameAsJSON(t, text) {
			t.Errorf("%q is not plain, and read as such", text)
		}
	}
}

// sameAsJSON reads a text both ways and reports whether it is plain.
func sameAsJSON(t *testing.T, text string) (plain bool) {
	t.Helper()
	want, got, mine := defaultConnect(), defaultConnect(), defaultConnect()
	wantErr := json.Unmarshal([]byte(text), &want)
	gotErr := readConnect([]byte(text), &got)
	if !reflect.DeepEqual(gotErr, wantErr) || got != want {
		t.Errorf("%q: %+v (%v), encoding/json: %+v (%v)", text, got, gotErr, want, wantErr)
	}
	return readPlainConnect([]byte(text), &mine)
}

// Every key of the struct must be known by its name: one that is not would cost each connection that uses it.
func TestPlainConnectKnowsEveryKey(t *testing.T) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[ConnectOptions]()) {
		if field.Anonymous {
			continue
		}
		var one ConnectOptions
		v := reflect.ValueOf(&one).Elem().FieldByIndex(field.Index)
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(true)
		case reflect.String:
			v.SetString("x")
		default:
			v.SetInt(1)
		}
		text, err := json.Marshal(&one)
		if err != nil {
			t.Fatal(err)
		}
		var got ConnectOptions
		if !readPlainConnect(text, &got) || got != one {
			t.Errorf("%s was read as %+v", text, got)
		}
	}
}

func FuzzConnect(f *testing.F) {
	for _, text := range append(plainConnects, otherConnects...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { sameAsJSON(t, text) })
}
