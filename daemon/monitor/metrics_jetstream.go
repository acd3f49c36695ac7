package monitor

import (
	"slices"
	"strconv"
)

// jetStreamMetrics are about streams. The largest streams are shown by name, and the consumers with most before them; the others
// are summed up under empty names.
//
// The names of the first ones, and their labels, are those of prometheus-nats-exporter, so that boards and rules made for it go
// on working. A name that begins with a slash stands without the namespace.
func jetStreamMetrics() []metric {
	jsServerLabels := []string{"server_id", "server_name", "cluster", "domain", "meta_leader", "is_meta_leader"}
	jsStreamLabels := slices.Concat(jsServerLabels, []string{"account", "account_id", "stream_name", "stream_leader", "is_stream_leader"})
	jsConsumerLabels := slices.Concat(jsStreamLabels, []string{"consumer_name", "consumer_leader", "is_consumer_leader", "consumer_desc"})
	return []metric{
		{"/jetstream_server_jetstream_disabled", gauge, jsServerLabels, "Whether JetStream is off: 1, otherwise 0.",
			func(s *scrape, emit emitFunc) { emit(boolean(s.js.server == nil), s.jsLabels()...) }},
		{"/jetstream_server_total_streams", gauge, jsServerLabels, "Streams.",
			jsServerValue(func(j *jetStreamScrape) float64 { return float64(j.all.streams) })},
		{"/jetstream_server_total_consumers", gauge, jsServerLabels, "Consumers.",
			jsServerValue(func(j *jetStreamScrape) float64 { return float64(j.all.figures.Consumers) })},
		{"/jetstream_server_total_messages", gauge, jsServerLabels, "Messages in all streams.",
			jsServerValue(func(j *jetStreamScrape) float64 { return float64(j.all.figures.Msgs) })},
		{"/jetstream_server_total_message_bytes", gauge, jsServerLabels, "Bytes in all streams.",
			jsServerValue(func(j *jetStreamScrape) float64 { return float64(j.all.figures.Bytes) })},
		{"/jetstream_server_max_memory", gauge, jsServerLabels, "Bytes that streams in memory may take.",
			jsServerValue(func(j *jetStreamScrape) float64 { return float64(j.server.Config.MaxMemory) })},
		{"/jetstream_server_max_storage", gauge, jsServerLabels, "Bytes that streams in files may take.",
			jsServerValue(func(j *jetStreamScrape) float64 { return float64(j.server.Config.MaxStorage) })},

		{"/jetstream_stream_total_messages", gauge, jsStreamLabels, "Messages of a stream.",
			streamValue(func(f *StreamFigures) float64 { return float64(f.Msgs) })},
		{"/jetstream_stream_total_bytes", gauge, jsStreamLabels, "Bytes of a stream.",
			streamValue(func(f *StreamFigures) float64 { return float64(f.Bytes) })},
		{"/jetstream_stream_first_seq", gauge, jsStreamLabels, "The first sequence of a stream.",
			streamOnly(func(f *StreamFigures) float64 { return float64(f.First) })},
		{"/jetstream_stream_last_seq", gauge, jsStreamLabels, "The last sequence of a stream.",
			streamOnly(func(f *StreamFigures) float64 { return float64(f.Last) })},
		{"/jetstream_stream_consumer_count", gauge, jsStreamLabels, "Consumers of a stream.",
			streamValue(func(f *StreamFigures) float64 { return float64(f.Consumers) })},
		{"/jetstream_stream_subject_count", gauge, jsStreamLabels, "Subjects of a stream.",
			streamValue(func(f *StreamFigures) float64 { return float64(f.Subjects) })},

		{"/jetstream_consumer_delivered_consumer_seq", gauge, jsConsumerLabels, "The number of a consumer's last delivery.",
			consumerOnly(func(c *consumerRow) float64 { return float64(c.deliveredConsumer) })},
		{"/jetstream_consumer_delivered_stream_seq", gauge, jsConsumerLabels, "The sequence of the message that a consumer delivered last.",
			consumerOnly(func(c *consumerRow) float64 { return float64(c.deliveredStream) })},
		{"/jetstream_consumer_num_ack_pending", gauge, jsConsumerLabels, "Deliveries of a consumer that are not acknowledged.",
			consumerValue(func(c *consumerRow) float64 { return float64(c.ackPending) })},
		{"/jetstream_consumer_num_redelivered", gauge, jsConsumerLabels, "Messages that a consumer has delivered more than once.",
			consumerValue(func(c *consumerRow) float64 { return float64(c.redelivered) })},
		{"/jetstream_consumer_num_waiting", gauge, jsConsumerLabels, "Requests that wait at a consumer.",
			consumerValue(func(c *consumerRow) float64 { return float64(c.waiting) })},
		{"/jetstream_consumer_num_pending", gauge, jsConsumerLabels, "Messages that a consumer has before it.",
			consumerValue(func(c *consumerRow) float64 { return float64(c.pending) })},
		{"/jetstream_consumer_ack_floor_stream_seq", gauge, jsConsumerLabels, "The sequence up to which everything is acknowledged at a consumer.",
			consumerOnly(func(c *consumerRow) float64 { return float64(c.floorStream) })},
		{"/jetstream_consumer_ack_floor_consumer_seq", gauge, jsConsumerLabels, "The number of the delivery up to which everything is acknowledged at a consumer.",
			consumerOnly(func(c *consumerRow) float64 { return float64(c.floorConsumer) })},

		{"jetstream_consumer_unacked_seconds", gauge, []string{"account", "stream_name", "consumer_name"},
			"Since when a consumer has waited for the acknowledgement of its oldest delivery, as far as the broker has run: 0 if it waits for none. Of those summed up, the longest.",
			func(s *scrape, emit emitFunc) {
				for i := range s.js.consumers {
					c := &s.js.consumers[i]
					emit(c.unacked.Seconds(), c.account, c.stream, c.name)
				}
			}},
		{"jetstream_storage_used_bytes", gauge, []string{"storage"}, "Bytes that streams take, by storage: file, memory.",
			func(s *scrape, emit emitFunc) {
				if j := s.js.server; j != nil {
					emit(float64(j.Stats.Storage), "file")
					emit(float64(j.Stats.Memory), "memory")
				}
			}},
		{"jetstream_store_memory_bytes", gauge, []string{"kind"}, "Bytes that the store keeps in memory, by what they are for: pages, tails, tables, ids, windows, batches, memory (streams in memory).",
			func(s *scrape, emit emitFunc) {
				if j := s.js.server; j != nil {
					emitCounts(emit, j.Memory)
				}
			}},
		{"jetstream_store_memory_max_bytes", gauge, nil, "Bytes that the store may keep in memory, of all kinds; 0: no bound.",
			func(s *scrape, emit emitFunc) {
				if j := s.js.server; j != nil {
					emit(float64(j.MemoryLimit))
				}
			}},
		{"jetstream_api_requests_total", counter, []string{"result"}, "Requests to the JetStream API that were answered, by result: ok, error.",
			func(s *scrape, emit emitFunc) {
				if j := s.js.server; j != nil {
					emit(float64(j.Stats.API.Total-min(j.Stats.API.Errors, j.Stats.API.Total)), "ok")
					emit(float64(j.Stats.API.Errors), "error")
				}
			}},
		{"jetstream_api_waiting", gauge, nil, "Requests to the JetStream API that wait or are being answered.",
			func(s *scrape, emit emitFunc) {
				if j := s.js.server; j != nil {
					emit(float64(j.Stats.API.Inflight))
				}
			}},
		{"jetstream_stored_bytes_total", counter, nil, "Bytes of messages that streams in files have taken: subjects, headers and payloads.",
			storageValue(func(d *Storage) float64 { return float64(d.Stored) })},
		{"jetstream_written_bytes_total", counter, []string{"file"}, "Bytes written to the disk, by the kind of file: journal, segment, index, catalogue, other. Divided by the bytes stored it is how often each byte is written.",
			func(s *scrape, emit emitFunc) {
				if d := s.js.storage; d != nil {
					emitCounts(emit, d.Written)
				}
			}},
		{"jetstream_commits_total", counter, nil, "Commits of the journal. Changes of all streams that are synced together are one.",
			storageValue(func(d *Storage) float64 { return float64(d.Commits) })},
		{"jetstream_commit_bytes_total", counter, nil, "Bytes of all commits. Divided by their number it is how large they are.",
			storageValue(func(d *Storage) float64 { return float64(d.CommitBytes) })},
		{"jetstream_commit_seconds_total", counter, nil, "Time that commits took, from the first byte written until they were on the disk. Divided by their number it is how long one takes.",
			storageValue(func(d *Storage) float64 { return float64(d.CommitTime.Microseconds()) })},
		{"jetstream_write_underway_seconds", gauge, nil, "For how long the write that is under way has lasted, or nothing could be written: 0 if there is none. On a disk that does not answer it grows.",
			storageValue(func(d *Storage) float64 { return d.Stuck.Seconds() })},
		{"jetstream_storage_failed", gauge, nil, "Whether a write has failed so that nothing is stored any more: 1, otherwise 0.",
			storageValue(func(d *Storage) float64 { return boolean(d.Failed != nil) })},
		{"jetstream_streams_failed", gauge, nil, "Streams that take no messages any more because something of them could not be stored.",
			func(s *scrape, emit emitFunc) {
				if s.js.server != nil {
					emit(float64(s.js.failed))
				}
			}},
		{"jetstream_storage_full", gauge, nil, "Whether messages are refused because the disk has no room: 1, otherwise 0.",
			storageValue(func(d *Storage) float64 { return boolean(d.Full) })},
		{"jetstream_disk_free_bytes", gauge, nil, "Bytes free on the disk that streams are on.",
			storageValue(func(d *Storage) float64 { return float64(d.Free) })},
		{"jetstream_disk_needed_bytes", gauge, nil, "Bytes that must be free for messages to be taken.",
			storageValue(func(d *Storage) float64 { return float64(d.Need) })},
		{"jetstream_lost_messages", gauge, nil, "Messages that were stored and cannot be read, in all streams.",
			func(s *scrape, emit emitFunc) {
				if s.js.server != nil {
					emit(float64(s.js.all.figures.Lost))
				}
			}},
		{"jetstream_scrubbed_bytes_total", counter, nil, "Bytes of streams in files that scrubs have read and verified.",
			storageValue(func(d *Storage) float64 { return float64(d.Scrubbed) })},
		{"jetstream_scrub_end_timestamp_seconds", gauge, nil, "When the last scrub came to its end, in seconds since 1970; 0: none has since the start.",
			storageValue(func(d *Storage) float64 {
				if d.ScrubEnd.IsZero() {
					return 0
				}
				return float64(d.ScrubEnd.Unix())
			})},
		{"jetstream_refused_unseen_total", counter, nil, "Messages that streams did not take and that had no reply subject, so that nobody was told.",
			func(s *scrape, emit emitFunc) {
				if j := s.js.server; j != nil {
					emit(float64(j.Refused))
				}
			}},
	}
}

// scales are the parts of a unit that counters of fractions count in: what is shown is divided by them.
var scales = map[string]float64{"jetstream_commit_seconds_total": 1e6}

// scale is by what the value of a counter is divided.
func (m *metric) scale() float64 {
	if n := scales[m.name]; n != 0 {
		return n
	}
	return 1
}

func (s *scrape) jsLabels() []string {
	domain := ""
	if s.js.server != nil {
		domain = s.js.server.Config.Domain
	}
	return []string{s.varz.ID, s.varz.Name, "", domain, "", "true"}
}

func jsServerValue(f func(*jetStreamScrape) float64) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		if s.js.server != nil {
			emit(f(&s.js), s.jsLabels()...)
		}
	}
}

func storageValue(f func(*Storage) float64) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		if s.js.storage != nil {
			emit(f(s.js.storage))
		}
	}
}

// streamValue is one that can be added up.
func streamValue(f func(*StreamFigures) float64) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		for i := range s.js.streams {
			r := &s.js.streams[i]
			emit(f(&r.figures), s.streamLabels(r)...)
		}
	}
}

// streamOnly is one of streams that are shown by name.
func streamOnly(f func(*StreamFigures) float64) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		for i := range s.js.streams {
			if r := &s.js.streams[i]; r.name != "" {
				emit(f(&r.figures), s.streamLabels(r)...)
			}
		}
	}
}

func (s *scrape) streamLabels(r *streamRow) []string {
	return append(s.jsLabels(), r.account, r.id, r.name, s.varz.Name, strconv.FormatBool(true))
}

func consumerValue(f func(*consumerRow) float64) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		for i := range s.js.consumers {
			c := &s.js.consumers[i]
			emit(f(c), s.consumerLabels(c)...)
		}
	}
}

// consumerOnly is one of consumers that are shown by name.
func consumerOnly(f func(*consumerRow) float64) func(*scrape, emitFunc) {
	return func(s *scrape, emit emitFunc) {
		for i := range s.js.consumers {
			if c := &s.js.consumers[i]; c.name != "" {
				emit(f(c), s.consumerLabels(c)...)
			}
		}
	}
}

func (s *scrape) consumerLabels(c *consumerRow) []string {
	return append(s.jsLabels(), c.account, c.id, c.stream, s.varz.Name, "true", c.name, s.varz.Name, "true", c.description)
}
