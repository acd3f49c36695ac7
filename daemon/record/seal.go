package record

import "slices"

// Lengths of records: RFC 8446, sections 5.1 and 5.2.
const (
	HeaderLen = 5
	MaxPlain  = 1 << 14                // the most that one record carries
	Overhead  = HeaderLen + 1 + tagLen // of a record without padding
	MaxRecord = HeaderLen + maxSealed

	maxSealed = MaxPlain + 256
	nonceLen  = 12
	tagLen    = 16
)

// maxRecords is how many records one key is for: section 5.5.
const maxRecords = 1 << 24

// The types of content: section B.1.
const (
	typeAlert       = 21
	typeHandshake   = 22
	typeApplication = 23
)

// Sealer makes records of what is to be sent.
type Sealer struct{ half }

// NewSealer goes on behind the last record of k, whose secret is copied. The suite is
// one of TLS 1.3, by its number there.
func NewSealer(suite uint16, k Keys) (*Sealer, error) {
	s := &Sealer{}
	if err := s.begin(suite, k); err != nil {
		return nil, err
	}
	return s, nil
}

// Room is how much a Seal of n bytes and an Update append at most.
func Room(n int) int {
	records := (n + MaxPlain - 1) / MaxPlain
	const updates = 2 // the one, and one of wear
	return n + records*Overhead + updates*(Overhead+keyUpdateLen)
}

// Seal appends p to dst, in as many records as it takes; it does not allocate where dst
// has [Room] for them. p and dst's capacity must not overlap.
func (s *Sealer) Seal(dst, p []byte) (_ []byte, err error) {
	for len(p) > 0 {
		if s.seq >= s.worn {
			if dst, err = s.Update(dst, false); err != nil {
				return dst, err
			}
		}
		n := min(len(p), MaxPlain)
		if dst, err = s.record(dst, typeApplication, p[:n]); err != nil {
			return dst, err
		}
		p = p[n:]
	}
	return dst, nil
}

// Update appends a KeyUpdate, and changes the key. With request, the peer is asked to
// change its own.
func (s *Sealer) Update(dst []byte, request bool) ([]byte, error) {
	m := [keyUpdateLen]byte{keyUpdate, 0, 0, 1}
	if request {
		m[keyUpdateLen-1] = updateRequested
	}
	dst, err := s.record(dst, typeHandshake, m[:])
	if err == nil {
		err = s.update()
	}
	return dst, err
}

// Alert appends an alert. Nothing may follow it.
func (s *Sealer) Alert(dst []byte, a Alert) ([]byte, error) {
	return s.record(dst, typeAlert, []byte{a.level(), byte(a)})
}

// record appends one record.
func (s *Sealer) record(dst []byte, typ byte, p []byte) ([]byte, error) {
	if err := s.number(); err != nil {
		return dst, err
	}
	n := len(p) + 1 + tagLen
	s.head = [HeaderLen]byte{typeApplication, 3, 3, byte(n >> 8), byte(n)}
	dst = slices.Grow(dst, HeaderLen+n)
	dst = append(dst, s.head[:]...)
	from := len(dst)
	dst = append(dst, p...)
	dst = append(dst, typ)
	s.aead.Seal(dst[from:from], s.nonce[:], dst[from:], s.head[:])
	return dst[:from+n], nil
}
