package main

import (
	"fmt"
	"strings"
)

// The columns of a connection.
const (
	topAddress = iota
	topCID
	topName
	topSubs
	topPending
	topTo
	topFrom
	topBytesTo
	topBytesFrom
	topRTT
	topIdle
	topUptime
	topColumns
)

var topHeads = [topColumns]string{"ADDRESS", "CID", "NAME", "SUBS", "PENDING", "TO/S", "FROM/S", "BYTES TO/S", "FROM/S", "RTT", "IDLE", "UPTIME"}

// topWidths are in characters; the name stands at the left.
var topWidths = [topColumns]int{21, 7, 18, 5, 9, 8, 8, 10, 10, 9, 7, 9}

// topRank is which columns a narrow terminal shows first.
var topRank = [topColumns]int{topName, topPending, topTo, topFrom, topCID, topBytesTo, topBytesFrom, topAddress, topSubs, topRTT, topIdle, topUptime}

// topSorted is the column that an order is by, where there is one.
var topSorted = map[string]int{
	"cid": topCID, "subs": topSubs, "pending": topPending, "msgs_to": topTo, "msgs_from": topFrom, "bytes_to": topBytesTo,
	"bytes_from": topBytesFrom, "rtt": topRTT, "idle": topIdle, "last": topIdle, "uptime": topUptime, "start": topUptime,
}

// fittingColumns are those that fit the width, 0 for any: the one that is sorted by, and
// the others by rank.
func fittingColumns(width int, sort string) (shown [topColumns]bool) {
	left := width + 1 // the first has no blank before it
	take := func(k int) {
		if need := topWidths[k] + 1; !shown[k] && (width == 0 || need <= left) {
			shown[k], left = true, left-need
		}
	}
	if k, ok := topSorted[sort]; ok {
		take(k)
	}
	for _, k := range topRank {
		take(k)
	}
	return shown
}

// topLine lays out the columns that are shown.
func topLine(shown [topColumns]bool, texts []string) string {
	var cells []string
	for k, text := range texts {
		switch {
		case !shown[k]:
		case k == topName:
			cells = append(cells, fmt.Sprintf("%-*s", topWidths[k], clip(text, topWidths[k])))
		default:
			cells = append(cells, fmt.Sprintf("%*s", topWidths[k], text))
		}
	}
	return strings.Join(cells, " ")
}
