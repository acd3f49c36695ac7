package segment

// SetCompress says whether pages are compressed from now on. What is in files stays as it is until it is written anew. It may be
// called beside everything.
func (l *Log) SetCompress(on bool) { l.compress.Store(on) }

// SealTail writes what waits in memory into a file early. It may be called beside everything.
func (l *Log) SealTail() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	defer l.changed()
	return l.seal()
}

// DropTable gives up the table of subjects. What is asked for is looked up in the files again.
// It may be called beside everything.
func (l *Log) DropTable() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropTable()
	l.tellUse()
}

// dropTable is DropTable for one who holds the locks.
func (l *Log) dropTable() {
	l.table.Release()
	l.complete = l.msgs == 0
}

// Full returns what keeps messages from being written to a file, usually that there is no room;
// nil: nothing. They stay in memory until it can be done, and Append fails when they are too many;
// so whoever takes messages in refuses them while there is an error here, and tries now and then by [Log.SealTail]. It
// may be called beside everything.
func (l *Log) Full() error {
	if err := l.full.Load(); err != nil {
		return *err
	}
	return nil
}
