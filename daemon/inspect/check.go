package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/jetstream"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Progress is told how many of how many bytes were read. nil: nobody.
type Progress func(done, total int64)

// What repair is told, besides the title of a stream.
const (
	repairNode      = "node"
	repairCatalogue = "catalogue"
	repairJournal   = "journal"
)

// Check reads everything in the store in a storage directory and says what is wrong. It changes nothing. An error says that it could
// not be checked: the cause may be [ErrInUse] or [store.ErrNoStore].
func Check(dir string, p Progress) (*Report, error) {
	storeDir := storeDirOf(dir)
	release, err := keepOut(storeDir)
	if err != nil {
		return nil, err
	}
	defer release()
	return check(vfs.OS, storeDir, p)
}

// checking is a check under way.
type checking struct {
	v       vfs.FS
	dir     *store.Dir
	report  Report
	streams map[uint64]*Stream

	progress    Progress
	done, total int64
}

func check(v vfs.FS, storeDir string, p Progress) (*Report, error) {
	found, err := store.Look(v, storeDir)
	if err != nil {
		return nil, err
	}
	c := &checking{v: vfs.ReadOnly(v), dir: found.Dir, streams: map[uint64]*Stream{}, progress: p}
	c.report = Report{Store: found.Dir.Path(), Verdict: Note, Streams: []Stream{}, Findings: []Finding{}}
	if c.progress == nil {
		c.progress = func(int64, int64) {}
	}
	defer c.report.sort()
	if !c.files(found) {
		return &c.report, nil
	}
	c.measure()
	catalogue := c.catalogue()
	if catalogue == nil {
		return &c.report, nil
	}
	c.journal(catalogue)
	list, bad := jetstream.KeptStreams(catalogue)
	for _, err := range bad {
		c.report.find(Finding{Severity: Refused, Where: "catalogue", File: c.dir.Path(store.CatalogueFile), Text: err.Error()})
	}
	for i := range list {
		c.stream(&list[i])
	}
	c.behind()
	c.strangers(jetstream.RemovedStreams(catalogue))
	for i := range list {
		c.report.Streams = append(c.report.Streams, *c.streams[list[i].ID])
	}
	return &c.report, nil
}

// files says of the two small files what is wrong; false: nothing more can be read.
func (c *checking) files(found *store.Found) bool {
	for _, f := range found.Files {
		if f.Name == store.NodeFile || c.report.Format == 0 {
			c.report.Format = f.Format
		}
		bad := 0
		for _, err := range f.Copies {
			if err != nil {
				bad++
			}
		}
		at := Finding{Where: f.Name, File: f.Path}
		switch {
		case f.Missing && f.Name == store.NodeFile:
			at.Severity, at.Text = Refused, "it is missing: without it nothing of the store can be read"
		case f.Missing:
			continue
		case f.Format > store.Format:
			at.Severity, at.Text = Refused, fmt.Sprintf("format %d: this version reads and writes format %d", f.Format, store.Format)
		case bad == 1:
			at.Severity, at.Text, at.Repair = Damaged, "one of two copies is damaged: "+errors.Join(f.Copies[:]...).Error(), f.Name
		case bad == 2 && f.Name == store.NodeFile:
			at.Severity, at.Text = Refused, "damaged, in both of its copies: without it nothing of the store can be read"
		case bad == 2:
			at.Severity, at.Text, at.Repair = Damaged, "damaged, in both of its copies: what can be read of either counts", f.Name
		default:
			continue
		}
		c.report.find(at)
	}
	if found.Known {
		c.report.Node = fmt.Sprintf("%x", found.Dir.Identity.Node)
	}
	return found.Known && c.report.Verdict != Refused
}

// measure finds out how much there is to read.
func (c *checking) measure() {
	list, err := c.v.ReadDir(c.dir.Path("streams"))
	if err != nil {
		return // said when the streams are read
	}
	for _, e := range list {
		files, err := c.v.ReadDir(c.dir.Path("streams", e.Name))
		if err != nil {
			continue
		}
		for _, f := range files {
			if filepath.Ext(f.Name) == ".seg" {
				if s, err := c.v.Stat(c.dir.Path("streams", e.Name, f.Name)); err == nil {
					c.total += s.Size
				}
			}
		}
	}
}

func (c *checking) read(n int64) {
	c.done += n
	c.total = max(c.total, c.done)
	c.progress(c.done, c.total)
}

func (c *checking) catalogue() *store.Catalogue {
	at := Finding{Where: "catalogue", File: c.dir.Path(store.CatalogueFile)}
	cat, err := c.dir.Catalogue()
	if err != nil {
		at.Severity, at.Text = Refused, err.Error()
		c.report.find(at)
		return nil
	}
	for _, err := range cat.Damaged() {
		at.Severity, at.Text, at.Repair = Lost, err.Error()+": a stream or consumer may be missing", repairCatalogue
		c.report.find(at)
	}
	return cat
}

// journal reads the journal a first time: what it says of the catalogue, and what is wrong with it.
func (c *checking) journal(cat *store.Catalogue) {
	dir := c.dir.Path("journal")
	at := Finding{Where: "journal", File: dir}
	var applied error
	apply := func(commit uint64, f *journal.Frame) error {
		body, ok := jetstream.FrameChanges(f)
		switch {
		case ok && f.Lost:
			c.report.find(Finding{Severity: Lost, Where: "journal", File: dir, Text: fmt.Sprintf("commit %d: a change of streams was on the disk and cannot be read", commit)})
		case ok && applied == nil:
			applied = cat.Apply(commit, body, true)
		}
		return nil
	}
	got, err := journal.Inspect(c.v, dir, c.dir.Identity.Key, false, apply)
	if err == nil {
		err = applied
	}
	if err != nil {
		at.Severity, at.Text, at.Repair = Refused, err.Error(), repairJournal
		c.report.find(at)
	}
	j := &c.report.Journal
	j.Files, j.Frames, j.End, j.Clean = len(got.Files), got.Frames, got.End, got.Clean
	for _, f := range got.Files {
		j.Bytes += f.Size
	}
	for _, l := range got.Lost {
		f := Finding{Severity: Damaged, Where: "journal", File: l.File, Text: l.String()}
		if l.Unknown {
			f.Severity, f.Text = Lost, f.Text+": any stream may have lost its newest messages"
		}
		c.report.find(f)
	}
	for _, q := range got.Quarantined {
		c.report.find(Finding{Severity: Damaged, Where: "journal", File: filepath.Join(dir, q), Text: "no file of the journal any more: the next start puts it away"})
	}
}

// behind reads the journal a second time, when it is known how far the files of streams are: what only the journal has.
func (c *checking) behind() {
	upTo := uint64(0)
	for _, s := range c.streams {
		upTo = max(upTo, s.Durable)
	}
	if c.report.Journal.Files == 0 && upTo > 0 {
		c.report.find(Finding{Severity: Lost, Where: "journal", File: c.dir.Path("journal"), Text: fmt.Sprintf(
			"no file of the journal is there, and the files of streams are true up to commit %d: what came after that is lost", upTo)})
	}
	each := func(commit uint64, f *journal.Frame) error {
		s := c.streams[f.Stream]
		if s == nil || commit <= s.Durable || jetstream.FrameName(f.Kind) == "catalogue" {
			return nil
		}
		n := jetstream.FrameMessages(f)
		where := "stream " + title(s.Account, s.Name)
		switch {
		case f.Lost && n > 0:
			s.LostCount += n
			s.Lost = append(s.Lost, Range{f.First, f.First + n - 1})
			c.report.find(Finding{Severity: Lost, Where: where, File: c.dir.Path("journal"), From: f.First, To: f.First + n - 1,
				Text: "messages were in the journal and cannot be read"})
		case f.Lost:
			c.report.find(Finding{Severity: Lost, Where: where, File: c.dir.Path("journal"),
				Text: fmt.Sprintf("commit %d: a change (%s) was in the journal and cannot be read", commit, jetstream.FrameName(f.Kind))})
		default:
			s.InJournal += n
		}
		return nil
	}
	// What is wrong was said the first time.
	_, _ = journal.Inspect(c.v, c.dir.Path("journal"), c.dir.Identity.Key, true, each)
}

func title(account, name string) string { return account + " > " + name }

// stream reads all of a stream.
func (c *checking) stream(k *jetstream.KeptStream) {
	name := title(k.Account, k.Name)
	s := &Stream{Account: k.Account, Name: k.Name, ID: k.ID, Created: k.Created, Consumers: len(k.Consumers)}
	c.streams[k.ID] = s
	dir := c.dir.Path("streams", strconv.FormatUint(k.ID, 10))
	var said []Finding                                           // of messages that are lost; many may be, each told of alone
	if _, err := c.v.Stat(dir); errors.Is(err, fs.ErrNotExist) { // it was made with the stream
		c.report.find(Finding{Severity: Lost, Where: "stream " + name, File: dir, Text: "its folder is gone: what was only in its files is lost"})
	}
	x, err := segment.Examine(c.v, dir, segment.Options{Report: func(r segment.Report) {
		f := finding(name, r)
		if f.Severity != Lost {
			c.report.find(f)
		} else if n := len(said); n > 0 && said[n-1].To+1 == f.From && said[n-1].File == f.File && said[n-1].Text == f.Text {
			said[n-1].To = f.To
		} else {
			said = append(said, f)
		}
	}}, c.read)
	for _, f := range said {
		c.report.find(f)
	}
	if err != nil {
		c.report.find(Finding{Severity: Refused, Where: "stream " + name, File: dir, Text: err.Error()})
	}
	s.Messages, s.Bytes, s.First, s.Last, s.Durable = x.Messages, x.Bytes, x.First, x.Last, x.Durable
	for _, f := range x.Files {
		s.Segments++
		s.Stored += f.Size
	}
	for _, r := range x.Lost {
		s.LostCount += r.To - r.From + 1
		s.Lost = append(s.Lost, Range{r.From, r.To})
	}
	c.known(name, dir, &x, said)
	path, lost, err := jetstream.CheckConsumers(c.v, dir)
	if err != nil {
		f := Finding{Severity: Damaged, Where: "stream " + name, File: path, Text: "states of consumers: " + err.Error(), Repair: name}
		if lost {
			f.Severity, f.Repair = Lost, ""
		}
		c.report.find(f)
	}
}

// known adds what was lost before and is written down as such, and what lies beside.
func (c *checking) known(name, dir string, x *segment.Examined, said []Finding) {
	slices.SortFunc(said, func(a, b Finding) int { return cmp.Compare(a.From, b.From) })
	for _, r := range x.Lost {
		i := sort.Search(len(said), func(i int) bool { return said[i].To >= r.From })
		if i == len(said) || said[i].From > r.From {
			c.report.find(Finding{Severity: Lost, Where: "stream " + name, File: dir, From: r.From, To: r.To, Text: "messages were found to be lost before"})
		}
	}
	for _, f := range x.Leftovers {
		c.report.find(Finding{Severity: Note, Where: "stream " + name, File: f, Text: "of no use any more: the next start removes it"})
	}
	for _, f := range x.Kept {
		c.report.find(Finding{Severity: Note, Where: "stream " + name, File: f, Text: "kept in quarantine"})
	}
}

// finding is what a log's report says.
func finding(name string, r segment.Report) Finding {
	f := Finding{Severity: Damaged, Where: "stream " + name, File: r.File, From: r.Lost.From, To: r.Lost.To, Text: r.What, Repair: name}
	switch r.What {
	case segment.Unreadable:
		f.Severity, f.Repair = Lost, ""
	case segment.DamagedHead:
		f.Repair = ""
	}
	if r.Err != nil {
		f.Text += ": " + r.Err.Error()
	}
	return f
}

// strangers tells of folders that no stream has. A folder is made before its stream is written down: one with messages is of a
// stream that was written down and is not any more, or of a restore that was cut off.
func (c *checking) strangers(removed map[uint64]bool) {
	list, err := c.v.ReadDir(c.dir.Path("streams"))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.report.find(Finding{Severity: Refused, Where: "streams", File: c.dir.Path("streams"), Text: err.Error()})
		}
		return
	}
	for _, e := range list {
		id, err := strconv.ParseUint(e.Name, 10, 64)
		if err == nil && c.streams[id] != nil || !e.Dir {
			continue
		}
		f := Finding{Severity: Note, Where: "streams", File: c.dir.Path("streams", e.Name)}
		switch {
		case err == nil && removed[id], strings.HasSuffix(e.Name, segment.DeletedSuffix):
			f.Text = "of a stream that was deleted: the next start removes it"
		case c.orphan(&f):
		default:
			f.Text = "no stream has this folder, in which there are no messages: the next start puts it away"
		}
		c.report.find(f)
	}
	if list, err := c.v.ReadDir(c.dir.Path("quarantine")); err == nil {
		for _, e := range list {
			c.report.find(Finding{Severity: Note, Where: "streams", File: c.dir.Path("quarantine", e.Name), Text: "kept in quarantine"})
		}
	}
}

// orphan says of a folder that no stream has what is in it, if there is anything.
func (c *checking) orphan(f *Finding) bool {
	x, err := segment.Examine(c.v, f.File, segment.Options{Report: func(segment.Report) {}}, c.read)
	if err == nil && x.Messages == 0 && len(x.Files) == 0 {
		return false
	}
	f.Severity = Damaged
	f.Text = fmt.Sprintf("orphan: no stream has this folder, with %d messages in %d segments: the next start puts it away", x.Messages, len(x.Files))
	if err != nil {
		f.Text += "; not all of it can be read: " + err.Error()
	}
	return true
}
