package subject

import "testing"

func TestReserved(t *testing.T) {
	for _, c := range []struct {
		s                      string
		reply, request, effect bool
	}{
		{"", false, false, false},
		{"$JS", false, false, false},
		{"$JS.", false, false, false},
		{"$JSX.API.INFO", false, false, false},
		{"x.$JS.API.INFO", false, false, false},
		{"$JS.x", true, false, false},
		{"$JS.API.STREAM.DELETE.T", true, true, true},
		{"$JS.API", true, true, true},
		{"$JS.hub.API.INFO", true, true, true},
		{"$JS.hub.ABI.INFO", true, false, false},
		{"$JS.ACK.S.C.1.1.1.1.0", true, false, true},
		{"$JS.FC.S.C.1", true, false, true},
		{"$JS.SNAPSHOT.RESTORE.x", true, false, true},
		{"$JS.EVENT.ADVISORY.x", true, false, true},
		{"_R_.abc.1", true, false, true},
		{"_R_.", true, false, true},
		{"_R_", false, false, false},
		{"_GR_.x", true, false, true},
		{"_GR_.", false, false, false},
		{"$GR.x", true, false, true},
		{"_INBOX.x", false, false, false},
		{"$KV.b.k", false, false, false},
		{"$SYS.REQ.x", false, false, false},
	} {
		if got := [...]bool{IsReservedReply(c.s), IsJetStreamRequest([]byte(c.s)), HasEffect(c.s)}; got != [...]bool{c.reply, c.request, c.effect} {
			t.Errorf("%q: reply, request, effect = %v, want %v %v %v", c.s, got, c.reply, c.request, c.effect)
		}
	}
}
