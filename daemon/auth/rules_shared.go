package auth

import "encoding/binary"

// sharedRules compiles rules once for all users that have the same: in a large file most have those of many others.
type sharedRules struct {
	made map[string]*Permissions // by what they were made from
	key  []byte                  // scratch
}

// permissions is NewPermissions, or what it gave for the same rules before.
func (s *sharedRules) permissions(r *Rules) (*Permissions, error) {
	s.key = r.appendKey(s.key[:0])
	if p := s.made[string(s.key)]; p != nil {
		return p, nil
	}
	p, err := NewPermissions(r)
	if err != nil {
		return nil, err
	}
	if s.made == nil {
		s.made = map[string]*Permissions{}
	}
	s.made[string(s.key)] = p
	return p, nil
}

// appendKey appends what tells the rules from others.
func (r *Rules) appendKey(b []byte) []byte {
	for _, list := range [][]string{r.PublishAllow, r.PublishDeny, r.SubscribeAllow, r.SubscribeDeny} {
		n := uint64(len(list)) + 1
		if list == nil {
			n = 0
		}
		b = binary.AppendUvarint(b, n)
		for _, s := range list {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
	}
	if r.Responses == nil {
		return b
	}
	b = binary.AppendVarint(append(b, 1), int64(r.Responses.Max))
	return binary.AppendVarint(b, int64(r.Responses.Expires))
}
