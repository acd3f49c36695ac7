package daemon

import (
	"debug/elf"
	"os"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// programOf reads a program's segments in another way than releaseProgram.
func programOf(t *testing.T, path string) (list []segment, fixed bool) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := uintptr(os.Getpagesize())
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W == 0 {
			from, end := uintptr(p.Vaddr), uintptr(p.Vaddr+p.Filesz)
			list = append(list, segment{from &^ (page - 1), (end + page - 1) &^ (page - 1)})
		}
	}
	return list, f.Type == elf.ET_EXEC
}

func residentPages(t *testing.T, s segment) (n int) {
	t.Helper()
	page := os.Getpagesize()
	pagemap, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer pagemap.Close()
	table := make([]byte, int(s.to-s.from)/page*8)
	if _, err := pagemap.ReadAt(table, int64(s.from)/int64(page)*8); err != nil {
		t.Fatal(err)
	}
	for i := 7; i < len(table); i += 8 {
		n += int(table[i] >> 7) // present
	}
	return n
}

func TestReleaseProgram(t *testing.T) {
	segments, fixed := programOf(t, "/proc/self/exe")
	head := make([]byte, 4<<10)
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	if _, err := exe.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	got := fixedSegments(head, 0, uint64(os.Getpagesize()))
	if !fixed {
		if got != nil {
			t.Errorf("a position-independent program would give back %x", got)
		}
		t.Skip("the test program is position-independent: nothing of it can be given back")
	}
	if !slices.Equal(got, segments) {
		t.Fatalf("segments %x, want %x", got, segments)
	}
	if code := fixedSegments(head, elf.PF_X, uint64(os.Getpagesize())); len(code) != 1 || !slices.Contains(segments, code[0]) {
		t.Errorf("of the segments %x, %x are code", segments, code)
	}
	before := make([]int, len(segments))
	for i, s := range segments {
		for at := s.from; at < s.to; at += uintptr(os.Getpagesize()) { // all of it, as after anything at all
			_ = *(*byte)(unsafe.Add(unsafe.Pointer(nil), at)) // within the program
		}
		before[i] = residentPages(t, s)
	}
	releaseProgram(0)
	for i, s := range segments {
		if after := residentPages(t, s); after > before[i]/2 {
			t.Errorf("segment %d: %d pages, %d when they were given back", i, after, before[i])
		}
	}
}

// A page in which a tracer has set a breakpoint is a copy of the file's, and must stay.
func TestChangedPageIsSeen(t *testing.T) {
	page := os.Getpagesize()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const pages = 5000 // more than are looked at in one read
	if err := f.Truncate(int64(pages * page)); err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, pages*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(m) }()
	from := uintptr(unsafe.Pointer(&m[0]))
	s := segment{from, from + uintptr(len(m))}
	for i := 0; i < len(m); i += page {
		if m[i] != 0 { // a read: the page is the file's
			t.Fatal(m[i])
		}
	}
	if s.changed(page) {
		t.Error("pages that were read only count as changed")
	}
	m[(pages-1)*page] = 0xcc
	if !s.changed(page) {
		t.Error("a page that was written to is not seen")
	}
}
