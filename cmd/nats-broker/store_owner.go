package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/inspect"
)

// workAsOwner has root go on as the user whose store it is, so that the broker can read what is written. Who is not root stays who he
// is.
func workAsOwner(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	owner, err := ownerOf(dir)
	if err != nil || owner.Uid == 0 {
		return err
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(int(owner.Gid)), syscall.Setuid(int(owner.Uid))); err != nil {
		return fmt.Errorf("to work as the user that owns %s: %w", dir, err)
	}
	return nil
}

// ownerOf returns whose store it is. A link belongs to who made it, wherever it leads: a user must not have root write to a place by
// putting a link to it into a folder of his own.
func ownerOf(dir string) (*syscall.Stat_t, error) {
	folder := filepath.Join(dir, inspect.Folder)
	link, err := os.Lstat(folder)
	if errors.Is(err, os.ErrNotExist) {
		folder = dir // the store's own folder was named, or there is none
		link, err = os.Lstat(folder)
	}
	if err != nil {
		return nil, err
	}
	if at, ok := link.Sys().(*syscall.Stat_t); ok && at.Uid != 0 {
		return at, nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return nil, err
	}
	return info.Sys().(*syscall.Stat_t), nil // Linux gives nothing else
}
