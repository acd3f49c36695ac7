package confparse

// Merge lays a stronger tree over a weaker one: maps merge key by key, anything
// else of the stronger tree replaces what the weaker one has. Neither tree is
// changed; the result shares values with both. Either may be nil.
func Merge(weaker, stronger *Value) *Value {
	switch {
	case stronger == nil:
		return weaker
	case weaker.Kind() != Map || stronger.Kind() != Map:
		return stronger
	}
	merged := *stronger
	merged.used = weaker.used || stronger.used
	merged.ref = nil
	merged.fields = &Fields{entries: make([]Entry, 0, weaker.fields.Len()+stronger.fields.Len())}
	for _, e := range weaker.fields.All() {
		merged.fields.set(e)
	}
	for _, e := range stronger.fields.All() {
		if old := weaker.fields.Get(e.Key); old != nil {
			e.Value = Merge(old.Value, e.Value)
		}
		merged.fields.set(e)
	}
	return &merged
}
