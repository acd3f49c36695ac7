package fields

import "slices"

// Integer is what [Number] takes. Numbers below zero take ten bytes.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Number is a field that is a number. One that does not fit what it is read into is
// damage.
func Number[T Integer](c *Codec, tag int, v *T) {
	c.step(tag)
	if !c.reading {
		c.number(tag, uint64(*v))
		return
	}
	c.each(tag, kindNumber, func(n uint64, _ []byte) {
		if *v = T(n); uint64(*v) != n {
			c.Fail(ErrDamaged)
		}
	})
}

// Flag is a field that is true or not.
func (c *Codec) Flag(tag int, v *bool) {
	c.step(tag)
	if !c.reading {
		if *v {
			c.number(tag, 1)
		}
		return
	}
	c.each(tag, kindNumber, func(n uint64, _ []byte) { *v = n != 0 })
}

// Text is a field that is a text, of any bytes.
func (c *Codec) Text(tag int, v *string) {
	c.step(tag)
	if !c.reading {
		if *v != "" {
			c.b = append(Announce(c.b, tag, len(*v)), *v...)
		}
		return
	}
	c.each(tag, kindBytes, func(_ uint64, b []byte) { *v = string(b) })
}

// Bytes is a field that is bytes. What is read refers to what it is read from.
func (c *Codec) Bytes(tag int, v *[]byte) {
	c.step(tag)
	if !c.reading {
		if len(*v) > 0 {
			c.b = append(Announce(c.b, tag, len(*v)), *v...)
		}
		return
	}
	c.each(tag, kindBytes, func(_ uint64, b []byte) {
		if *v = b; len(b) == 0 {
			*v = nil // as if it were not there
		}
	})
}

// Gap is Bytes; but when it is written and *v is empty, n bytes are announced that the
// caller of [AppendGap] writes, since it has them in pieces. A record has one gap.
func (c *Codec) Gap(tag int, v *[]byte, n int) {
	if c.reading || len(*v) > 0 || n == 0 {
		c.Bytes(tag, v)
		return
	}
	c.step(tag)
	if c.gap >= 0 {
		panic("fields: a second gap")
	}
	c.b = Announce(c.b, tag, n)
	c.gap, c.away = len(c.b), n
}

// Texts is a field that is a list of texts; an empty one counts.
func (c *Codec) Texts(tag int, list *[]string) {
	c.step(tag)
	if !c.reading {
		for _, v := range *list {
			c.b = append(Announce(c.b, tag, len(v)), v...)
		}
		return
	}
	*list = slices.Grow(*list, c.count(tag))
	c.each(tag, kindBytes, func(_ uint64, b []byte) { *list = append(*list, string(b)) })
}

// Blocks is a field that is a list of bytes; empty ones count. What is read refers to
// what it is read from.
func (c *Codec) Blocks(tag int, list *[][]byte) {
	c.step(tag)
	if !c.reading {
		for _, v := range *list {
			c.b = append(Announce(c.b, tag, len(v)), v...)
		}
		return
	}
	*list = slices.Grow(*list, c.count(tag))
	c.each(tag, kindBytes, func(_ uint64, b []byte) { *list = append(*list, b) })
}

// Group is a field that is a record which is always there; nothing is written if
// nothing in it is.
func (c *Codec) Group(tag int, r Record) {
	c.step(tag)
	if !c.reading {
		c.group(tag, r, false)
		return
	}
	c.each(tag, kindBytes, func(_ uint64, b []byte) { c.inside(b, r) })
}

// Optional is a field that is a record or none. One without fields is not none.
func Optional[T any, P interface {
	*T
	Record
}](c *Codec, tag int, v **T) {
	c.step(tag)
	if !c.reading {
		if *v != nil {
			c.group(tag, P(*v), true)
		}
		return
	}
	c.each(tag, kindBytes, func(_ uint64, b []byte) {
		*v = new(T)
		c.inside(b, P(*v))
	})
}

// List is a field that is a list of records.
func List[T any, P interface {
	*T
	Record
}](c *Codec, tag int, list *[]T) {
	c.step(tag)
	if !c.reading {
		for i := range *list {
			c.group(tag, P(&(*list)[i]), true)
		}
		return
	}
	*list = slices.Grow(*list, c.count(tag))
	c.each(tag, kindBytes, func(_ uint64, b []byte) {
		var v T
		*list = append(*list, v)
		c.inside(b, P(&(*list)[len(*list)-1]))
	})
}
