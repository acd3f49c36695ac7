package daemon

import (
	"debug/elf"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// releaseProgram gives back what the process holds of its own program, of segments with these flags: code and constants
// that a start needs, and nobody after it, are half of that. What is needed again comes back from the page cache, where
// it stays; what shrinks is the resident set, which ps(1) shows and the kernel goes by when it looks for a victim. It is
// advice: where it cannot be given, nothing happens.
//
// Only segments that were never writable are given back, of a program that lies where its headers say (not of a
// position-independent one, whose constants are changed as it is loaded), and none in which somebody has set a
// breakpoint: a page that was changed would come back as it is in the file. See elf(5), madvise(2).
func releaseProgram(flags elf.ProgFlag) {
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		return
	}
	defer exe.Close()
	head := make([]byte, 4<<10)
	n, _ := exe.ReadAt(head, 0) // of a shorter file, all of it
	page := os.Getpagesize()
	for _, s := range fixedSegments(head[:n], flags, uint64(page)) {
		if !s.changed(page) {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, s.from, s.to-s.from, unix.MADV_DONTNEED)
		}
	}
}

// segment is a range of addresses, of whole pages.
type segment struct{ from, to uintptr }

// fixedSegments returns the segments of an executable that are loaded, have the flags, and are not writable. head is the
// beginning of the file; one that is of another kind has none.
func fixedSegments(head []byte, flags elf.ProgFlag, page uint64) (list []segment) {
	const size, each = 64, 56 // of the header of a file, and of a program header
	order := binary.LittleEndian
	if len(head) < size || string(head[:4]) != elf.ELFMAG || elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 ||
		elf.Data(head[elf.EI_DATA]) != elf.ELFDATA2LSB || elf.Type(order.Uint16(head[16:])) != elf.ET_EXEC ||
		order.Uint64(head[32:]) != size || order.Uint16(head[54:]) != each {
		return nil
	}
	for i := range int(order.Uint16(head[56:])) {
		at := size + i*each
		if at+each > len(head) {
			break
		}
		p := head[at:]
		addr, length := order.Uint64(p[16:]), order.Uint64(p[32:])
		if elf.ProgType(order.Uint32(p)) == elf.PT_LOAD && elf.ProgFlag(order.Uint32(p[4:]))&(elf.PF_W|flags) == flags {
			list = append(list, segment{uintptr(addr / page * page), uintptr((addr + length + page - 1) / page * page)})
		}
	}
	return list
}

// changed reports whether a page of a private mapping of a file is not the file's any more, or that cannot be told
// (proc_pid_pagemap(5)).
func (s segment) changed(page int) bool {
	const (
		entry           = 8 // bytes for each page
		present         = 1 << 63
		swapped         = 1 << 62
		ofFile          = 1 << 61
		here            = present | swapped
		readAtOnce      = 32 << 10
		pagesAtOnce int = readAtOnce / entry
	)
	pages, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return true
	}
	defer pages.Close()
	table := make([]byte, readAtOnce)
	for at := s.from; at < s.to; at += uintptr(pagesAtOnce * page) {
		part := table[:min(pagesAtOnce, int(s.to-at)/page)*entry]
		if _, err := pages.ReadAt(part, int64(at)/int64(page)*entry); err != nil {
			return true
		}
		for ; len(part) > 0; part = part[entry:] {
			if e := binary.NativeEndian.Uint64(part); e&here != 0 && e&ofFile == 0 {
				return true
			}
		}
	}
	return false
}
