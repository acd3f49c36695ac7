package streams

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// unseen are the codes of the table that no conversation here provokes from nats-server, by reason.
var unseen = map[string][]int{
	"only a cluster sends them":              {10005, 10006, 10007, 10008, 10009, 10040, 10041, 10044, 10048, 10063, 10075, 10118, 10119, 10123, 10124, 10129, 10158, 10202, 10224, 10226},
	"infos of mirrors and sources have them": {10029, 10045, 10214, 10217, 10228},
	"snapshots that fail":                    {10042, 10062, 10064},
	"what a counter is not made of":          {10172},
	"consumers": {10012, 10013, 10016, 10017, 10018, 10020, 10078, 10079, 10080, 10081, 10082, 10083, 10086, 10087, 10088, 10089, 10090, 10091, 10094, 10095,
		10102, 10103, 10104, 10105, 10106, 10107, 10108, 10112, 10114, 10115, 10116, 10121, 10125, 10126, 10127, 10131, 10132, 10134, 10135, 10136, 10137, 10138, 10139, 10148, 10149, 10153, 10159, 10160,
		10161, 10162, 10178, 10181, 10182, 10183, 10184, 10196, 10197, 10204, 10218, 10219, 10220, 10221, 10222, 10225},
	"an account is missing, or has tiers":                                    {10035, 10120},
	"a disk or the server is full or fails, or is asked more than it can do": {10023, 10050, 10051, 10053, 10069, 10096, 10167},
	"other tests have them, with accounts that have limits":                  {10002, 10026, 10027, 10028, 10039, 10113, 10122},
	"a server of an older age":                                               {10076, 10194, 10195},
}

var row = regexp.MustCompile(`(?m)^\t\{(\d{5}), `)

// checkSeen holds the table of errors against what nats-server has sent: each code was seen, or stands in the list.
func checkSeen(t *testing.T, seen map[int]bool) {
	b, err := os.ReadFile("../../../jetstream/api/errors_table.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := row.FindAllSubmatch(b, -1)
	if len(rows) < 200 {
		t.Fatalf("%d rows", len(rows))
	}
	var excused []int
	for _, l := range unseen {
		excused = append(excused, l...)
	}
	for _, code := range excused {
		if seen[code] {
			t.Errorf("nats-server has sent %d, which is in the list of those that it does not send here", code)
		}
	}
	for _, r := range rows {
		code, err := strconv.Atoi(string(r[1]))
		if err != nil {
			t.Fatal(err)
		}
		if !seen[code] && !slices.Contains(excused, code) {
			t.Errorf("nats-server has not sent %d", code)
		}
	}
}

// unseenOfConsumers are those of unseen["consumers"] that no conversation about consumers provokes either, by reason.
var unseenOfConsumers = map[string][]int{
	"one server has no replicas":                  {10134},
	"mirrors and sources ask for them":            {10225},
	"a limit of the server, which these have not": {10125},
	"a disk fails":                                {10104},
	"another check comes before":                  {10016, 10078, 10087, 10102, 10103, 10105, 10106, 10114, 10126, 10132, 10181, 10182},
}

// checkConsumerCodes holds the codes of consumers against what nats-server has sent.
func checkConsumerCodes(t *testing.T, seen map[int]bool) {
	excused := map[int]bool{}
	for _, l := range unseenOfConsumers {
		for _, code := range l {
			excused[code] = true
			if seen[code] {
				t.Errorf("nats-server has sent %d, which is in the list of those that it does not send here", code)
			}
		}
	}
	for _, code := range unseen["consumers"] {
		if !seen[code] && !excused[code] {
			t.Errorf("nats-server has not sent %d", code)
		}
	}
}
