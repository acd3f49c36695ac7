// Package fields is how state is written that another process reads, or another version
// of this program: what one process leaves for the next, what is kept on a disk.
//
// A [Record] names its fields once, each with its tag, in one list that serves for
// writing and for reading:
//
//	func (s *sub) Fields(c *fields.Codec) {
//		c.Text(1, &s.subject)
//		fields.Number(c, 2, &s.max)
//		fields.List(c, 3, &s.parts)
//	}
//
// The form is simple and does not change: a key, which is the tag times two plus the
// kind, then a number (kind 0) or a length and so many bytes (kind 1), all numbers as
// unsigned varints. A record inside a record is bytes. What is zero is not written.
//
// # Versions
//
// Adjacent versions read each other's state. A reader passes over tags that it does not
// know, and what is not there stays zero, so a field is added under a new tag, and one
// that has gone leaves its tag unused for ever: never give a tag another meaning, never
// renumber. Tags are literal numbers in ascending order, so that both can be seen in a
// diff; a list that does not ascend panics. Records in testdata, written by each version
// that was released, are read by every later one (package fieldstest has the tests).
//
// # Foreign bytes
//
// What is read may be damaged or made up. Lengths are checked against what is there
// before anything is made of them, so memory grows with the size of the state, and a
// value that does not fit is an error. Checksums are the business of who keeps the bytes.
package fields
