// Command powercut cuts the power of a disk on which a store lies, on a real file system, and asks the
// store afterwards whether what it promised is there.
//
//	powercut [-cuts N] [-store NAME] [-seed N] [-keep FOLDER]
//
// The disk is a file of a FUSE file system of our own, with a volatile cache; on it lie a loop
// device and ext4, with a journal of its names or without one. The store is driven by
// daemon/internal/crashtest/drive in a process of its own, whose acknowledgements are noted here.
// At some moment the disk fails all i/o. Of what was not flushed images have nothing, each block
// by chance, or each sector by chance; each is mounted and checked.
//
// It needs root, a Linux with FUSE and loop devices, and mkfs.ext4. Without them it ends with status 77.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	cuts := flag.Int("cuts", 20, "how often the power is cut")
	store := flag.String("store", "journal", "which store is driven")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of moments and images")
	keep := flag.String("keep", "", "folder for images and acknowledgements of what went wrong")
	flag.Parse()
	for _, need := range []string{"/dev/fuse", "/dev/loop-control"} {
		if _, err := os.Stat(need); err != nil || os.Getuid() != 0 {
			fmt.Println("it needs root, and", need)
			os.Exit(77)
		}
	}
	if err := all(*cuts, *store, *seed, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "powercut:", err)
		os.Exit(1)
	}
}

// kinds are the file systems that are made.
var kinds = []struct {
	name  string
	mkfs  []string
	fsck  bool // before it is mounted
	mount string
}{
	{"journaled names", []string{"-E", "lazy_itable_init=0,nodiscard"}, false, "commit=30"},
	{"names need a sync of their folder", []string{"-O", "^has_journal,^metadata_csum", "-E", "lazy_itable_init=0,nodiscard"}, true, "noatime"},
}

const (
	diskSize = 256 << 20
	longest  = 900 * time.Millisecond // from the opened store to the cut
)

type rig struct {
	dir   string // for everything
	drive string // the program
	store string
	rng   *rand.Rand
	keep  string
	empty []map[int64]*block // a disk of each kind

	acks, rate float64
	run        time.Duration

	left []func() // what takes away mounts and devices, in case something went wrong
}

// tidy takes away what is left, the last one first. Most of it has gone by then.
func (r *rig) tidy() {
	for i := len(r.left) - 1; i >= 0; i-- {
		r.left[i]()
	}
}

func all(cuts int, store string, seed uint64, keep string) error {
	dir, err := os.MkdirTemp("", "powercut")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &rig{dir: dir, drive: filepath.Join(dir, "drive"), store: store, rng: rand.New(rand.NewPCG(seed, 0)), keep: keep}
	defer r.tidy()
	build := exec.Command("go", "build", "-o", r.drive, "./daemon/internal/crashtest/drive")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	for i := range kinds {
		d, err := r.format(i)
		if err != nil {
			return fmt.Errorf("%s: %w", kinds[i].name, err)
		}
		r.empty = append(r.empty, d.durable)
	}
	if err := r.measure(); err != nil {
		return fmt.Errorf("without a cut: %w", err)
	}
	begun := time.Now()
	for n := range cuts {
		if err := r.cut(n, n%len(kinds)); err != nil {
			return fmt.Errorf("seed %d, cut %d, %s: %w", seed, n+1, kinds[n%len(kinds)].name, err)
		}
	}
	want := r.rate * r.run.Seconds()
	fmt.Printf("measured: %d cuts, %d images, %.0f acknowledged before them and all there, %.1f times as many as without cuts, %v\n",
		cuts, 3*cuts, r.acks, r.acks/want, time.Since(begun).Round(time.Second))
	if r.acks < want/2 {
		return fmt.Errorf("%.0f acknowledged in %v, at least half of %.0f were to be expected", r.acks, r.run, want)
	}
	return nil
}

// command runs a program and returns what it says.
func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// attached is a disk that is served and attached to a loop device.
type attached struct {
	d     *disk
	dir   string
	loop  string
	close func() error
}

func (r *rig) attach(d *disk) (*attached, error) {
	dir, err := os.MkdirTemp(r.dir, "fuse")
	if err != nil {
		return nil, err
	}
	unmount, err := serve(d, dir)
	if err != nil {
		return nil, err
	}
	loop, err := command("losetup", "--find", "--show", filepath.Join(dir, "disk"))
	if err != nil {
		return nil, errors.Join(err, unmount())
	}
	r.left = append(r.left, func() {
		d.off()
		if out, err := command("losetup", loop); err == nil && strings.Contains(out, dir) {
			_, _ = command("losetup", "--detach", loop)
		}
		_, _ = command("umount", "--lazy", dir)
	})
	return &attached{d, dir, loop, unmount}, nil
}

func (a *attached) detach() error {
	_, err := command("losetup", "--detach", a.loop)
	var e error
	for range 50 { // the loop device lets go of the file some time after it was asked to
		if e = a.close(); e == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.Join(err, e)
}

// format makes an empty file system.
func (r *rig) format(kind int) (*disk, error) {
	d := newDisk(diskSize, nil)
	a, err := r.attach(d)
	if err != nil {
		return nil, err
	}
	_, err = command("mkfs.ext4", append(append([]string{"-q", "-F"}, kinds[kind].mkfs...), a.loop)...)
	if err := errors.Join(err, a.detach()); err != nil {
		return nil, err
	}
	d.flush()
	return d, nil
}

// mount mounts a device, or a file, and returns where.
func (r *rig) mount(what, options string) (string, error) {
	dir, err := os.MkdirTemp(r.dir, "mnt")
	if err != nil {
		return "", err
	}
	_, err = command("mount", "-t", "ext4", "-o", options, what, dir)
	r.left = append(r.left, func() { _, _ = command("umount", "--lazy", dir) })
	return dir, err
}

// driven is a store that is being used.
type driven struct {
	cmd  *exec.Cmd
	out  io.ReadCloser
	log  *os.File
	acks int
	errs strings.Builder // what it says on standard error
	done chan error
	open chan bool
}

// start drives the store in a folder; what it says goes to a file.
func (r *rig) start(dir, log string, args ...string) (*driven, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	d := &driven{log: f, done: make(chan error, 1), open: make(chan bool)}
	d.cmd = exec.Command(r.drive, append([]string{"run", "-store", r.store}, append(args, filepath.Join(dir, "store"))...)...)
	if d.out, err = d.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	d.cmd.Stderr = &d.errs
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go d.note()
	return d, nil
}

// note writes down what the store has said: this is outside of the machine whose power goes.
func (d *driven) note() {
	w := bufio.NewWriter(d.log)
	for s := bufio.NewScanner(d.out); s.Scan(); {
		if s.Text() == "open" {
			close(d.open)
		}
		if strings.HasPrefix(s.Text(), "acked") {
			d.acks++
		}
		fmt.Fprintln(w, s.Text())
	}
	err := errors.Join(w.Flush(), d.log.Close(), d.cmd.Wait())
	if err != nil {
		err = fmt.Errorf("%w: %s", err, d.errs.String())
	}
	d.done <- err
}

// opened waits until the store is open.
func (d *driven) opened() error {
	select {
	case <-d.open:
		return nil
	case err := <-d.done:
		return fmt.Errorf("the store did not open: %w", err)
	case <-time.After(time.Minute):
		return errors.New("the store did not open in a minute")
	}
}

// end waits for the end of the store, which sees that its disk is gone.
func (d *driven) end() {
	select {
	case <-d.done:
	case <-time.After(20 * time.Second):
		_ = d.cmd.Process.Signal(syscall.SIGKILL)
		<-d.done
	}
}

// measure drives the store without a cut, to know how much it acknowledges.
func (r *rig) measure() error {
	for kind := range kinds {
		a, err := r.attach(newDisk(diskSize, r.empty[kind]))
		if err != nil {
			return err
		}
		dir, err := r.mount(a.loop, kinds[kind].mount)
		if err != nil {
			return errors.Join(err, a.detach())
		}
		log := filepath.Join(r.dir, "uncut")
		d, err := r.start(dir, log, "-for", "1s")
		if err != nil {
			return err
		}
		if err := d.opened(); err != nil {
			return err
		}
		if err := <-d.done; err != nil {
			return err
		}
		r.rate += float64(d.acks) / float64(len(kinds))
		if err := r.check(dir, log); err != nil {
			return err
		}
		_, err = command("umount", dir)
		if err := errors.Join(err, a.detach()); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) check(dir, log string) error {
	_, err := command(r.drive, "check", "-store", r.store, filepath.Join(dir, "store"), log)
	return err
}

// cut drives the store on a disk, takes the power away, and checks what may be left.
func (r *rig) cut(n, kind int) error {
	a, err := r.attach(newDisk(diskSize, r.empty[kind]))
	if err != nil {
		return err
	}
	dir, err := r.mount(a.loop, kinds[kind].mount)
	if err != nil {
		return errors.Join(err, a.detach())
	}
	log := filepath.Join(r.dir, fmt.Sprintf("acks-%d", n))
	d, err := r.start(dir, log, "-seed", fmt.Sprint(n+1))
	if err != nil {
		return err
	}
	if r.rng.IntN(4) > 0 { // else it is cut while it opens
		if err := d.opened(); err != nil {
			return err
		}
		t := time.Now()
		time.Sleep(time.Duration(r.rng.Int64N(int64(longest)))) // the moment is what is drawn
		r.run += time.Since(t)
	}
	a.d.cutAt.Store(1 + r.rng.Int64N(64))
	d.end()
	a.d.off()
	r.acks += float64(d.acks)
	if _, err := command("umount", dir); err != nil {
		return err
	}
	if err := a.detach(); err != nil {
		return err
	}
	for _, style := range []string{lost, chance, torn} {
		if err := r.look(a.d, kind, style, log); err != nil {
			return fmt.Errorf("%s: %w", style, err)
		}
	}
	return os.Remove(log)
}

// look makes an image, and checks what the store says of it.
func (r *rig) look(d *disk, kind int, style, log string) error {
	image := filepath.Join(r.dir, "image")
	if err := d.image(image, style, r.rng.Uint64()); err != nil {
		return err
	}
	if r.keep != "" {
		_, _ = command("cp", "--sparse=always", image, log, r.keep) // of the last one, if it goes wrong
	}
	if kinds[kind].fsck {
		out, err := exec.Command("e2fsck", "-fy", image).CombinedOutput()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() > 1 {
			return fmt.Errorf("e2fsck: %w: %s", err, out)
		}
	}
	dir, err := r.mount(image, "loop,"+kinds[kind].mount)
	if err != nil {
		return err
	}
	err = r.check(dir, log)
	_, e := command("umount", dir)
	return errors.Join(err, e, os.Remove(image))
}
