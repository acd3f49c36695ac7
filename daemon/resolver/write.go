package resolver

import (
	"os"
	"path/filepath"
)

// write puts a JWT into its file so that there is the old or the new one at every moment, and the new one for good once
// write has returned. The lock is held.
func (d *Directory) write(id, text string) (err error) {
	f, err := os.CreateTemp(d.path, partPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err = fill(f, text); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), d.file(id)); err != nil {
		return err
	}
	return d.syncDir()
}

// fill writes and closes a file.
func fill(f *os.File, text string) error {
	_, err := f.WriteString(text)
	if err == nil {
		err = f.Chmod(fileMode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// syncDir makes renamed and removed files last.
func (d *Directory) syncDir() error {
	f, err := os.Open(filepath.Clean(d.path))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
