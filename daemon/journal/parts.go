package journal

// parts puts frames together that were written in parts. A frame whose end is missing is dropped.
type parts struct {
	open map[uint64]*partial // by stream
}

// partial is a frame of which the end has not come yet.
type partial struct {
	f    Frame
	next uint32
	body []byte
	lost bool // a part could not be read
}

// add takes an entry with its body, nil if it is lost, in a use of a file, and returns the frame
// that ends with it.
func (p *parts) add(e *entry, body []byte, file uint64) *Frame {
	lost := body == nil
	if e.flags&flagPart == 0 {
		delete(p.open, e.stream) // its frame was given up
		f := e.frame()
		f.Lost = lost
		if !lost {
			f.Body = [][]byte{body}
		}
		return f
	}
	if p.open == nil {
		p.open = map[uint64]*partial{}
	}
	o := p.open[e.stream]
	if e.part == 0 {
		o = &partial{f: *e.frame()}
		o.f.from = file
		p.open[e.stream] = o
	}
	switch {
	case o == nil: // its beginning was not read: in a file that is not needed, or lost
		o = &partial{f: *e.frame(), lost: true}
		p.open[e.stream] = o
	case o.next != e.part || o.f.Kind != e.kind || o.f.First != e.first:
		o.lost = true
	}
	o.next = e.part + 1
	if lost || o.lost {
		o.lost, o.body = true, nil
	} else {
		o.body = append(o.body, body...)
	}
	if e.flags&flagLast == 0 {
		return nil
	}
	delete(p.open, e.stream)
	o.f.Lost = o.lost
	if !o.lost {
		o.f.Body = [][]byte{o.body}
	}
	return &o.f
}

func (e *entry) frame() *Frame {
	return &Frame{Kind: e.kind, Stream: e.stream, First: e.first, Count: e.count, Time: e.time}
}
