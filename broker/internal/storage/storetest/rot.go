package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Rot damages the files of a store that was closed: it turns over one bit, or cuts a file off, or takes one away.
type Rot struct {
	Open  Open
	Seed  uint64
	Steps int  // of the run that makes the store; 0 is 60
	Every int  // of the bits and lengths, how many pass between two that are tried; 0 is all
	Whole bool // no file is cut off
}

// Damages is what was tried, and what came of it.
type Damages struct {
	Files    int
	Bytes    int64
	Bits     int // that were turned over
	Cuts     int // lengths that files were cut off at, missing files included
	Refused  int // of both: the store did not open, and said so
	Told     int // a reader was told
	Harmless int // everything was there
}

// Add adds others.
func (d *Damages) Add(o Damages) {
	d.Files += o.Files
	d.Bytes += o.Bytes
	d.Bits += o.Bits
	d.Cuts += o.Cuts
	d.Refused += o.Refused
	d.Told += o.Told
	d.Harmless += o.Harmless
}

func (d Damages) String() string {
	return fmt.Sprintf("%d files of %d bytes in all; %d bits turned over, %d files cut off: refused %d, told to readers %d, harmless %d",
		d.Files, d.Bytes, d.Bits, d.Cuts, d.Refused, d.Told, d.Harmless)
}

// Run runs all damages and returns which of them is neither reported nor without harm.
func (r Rot) Run() (Damages, error) {
	if r.Steps == 0 {
		r.Steps = 60
	}
	if r.Every == 0 {
		r.Every = 1
	}
	var d Damages
	w := newWorld(Simulation{Open: r.Open, Seed: r.Seed, Steps: r.Steps}, work)
	w.payload, w.small = min(w.payload, 64), true // the store is to be small
	if err := errors.Join(w.steps(), w.reopen(), w.store.Close()); err != nil {
		return d, fmt.Errorf("without damage: %w", err)
	}
	files, err := folder(w.disk)
	if err != nil {
		return d, err
	}
	want := *w.history.Now().Clone()
	want.Reopen()
	rnd := rand.New(rand.NewPCG(r.Seed, 2))
	try := func(what, name string, damage func(disk *vfs.Memory) error) error {
		disk := w.disk.Clone()
		if err := damage(disk); err != nil {
			return err
		}
		if err := r.judge(disk, w.journal, &want, &d); err != nil {
			return fmt.Errorf("%s of %s (%d bytes): %w", what, name, files[name], err)
		}
		return nil
	}
	for name, size := range files {
		path := filepath.Join(dir, name)
		d.Files++
		d.Bytes += size
		for bit := rnd.Int64N(int64(r.Every)); bit < size*8; bit += int64(r.Every) {
			d.Bits++
			err := try(fmt.Sprintf("bit %d of byte %d", bit%8, bit/8), name, func(disk *vfs.Memory) error { return disk.Flip(path, bit) })
			if err != nil {
				return d, err
			}
		}
		if r.Whole {
			continue
		}
		for length := rnd.Int64N(int64(r.Every)); length < size; length += int64(r.Every) {
			d.Cuts++
			err := try(fmt.Sprintf("the first %d bytes", length), name, func(disk *vfs.Memory) error { return cutOff(disk, path, length) })
			if err != nil {
				return d, err
			}
		}
		if !strings.HasSuffix(name, "lock") {
			d.Cuts++
			if err := try("nothing", name, func(disk *vfs.Memory) error { return disk.Remove(path) }); err != nil {
				return d, err
			}
		}
	}
	return d, nil
}

func cutOff(disk *vfs.Memory, path string, length int64) error {
	f, err := disk.OpenReadWrite(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(length), f.Close())
}

// judge opens the store and reads everything. Whatever is shown must be right, and what is not shown be reported.
func (r Rot) judge(disk *vfs.Memory, journal int64, want *State, d *Damages) error {
	s, err := r.Open(Options{FS: disk, Dir: dir, JournalSize: journal})
	if err != nil {
		// A bit of a version makes another version of it, which must be told before anything else of the file is looked at.
		if !damage(err) && !strings.Contains(err.Error(), "version") {
			return fmt.Errorf("it does not open, and names no damage: %w", err)
		}
		d.Refused++
		return nil
	}
	err = Compare(s, want)
	if cerr := s.Close(); cerr != nil {
		return fmt.Errorf("closing: %w", cerr)
	}
	switch {
	case err == nil:
		d.Harmless++
		return nil
	case !damage(err):
		return err
	}
	d.Told++
	return nil
}

// damage reports whether an error says that bytes are not those that were written, and nothing else.
func damage(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !damage(e) {
				return false
			}
		}
		return true
	}
	var d *storage.DamageError
	return errors.As(err, &d)
}
