package storetest

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// plain is the simplest store that keeps its promises on a disk: a Model whose batches are written to one file before they
// are durable. The harnesses must find nothing in it, and each of the faults that can be planted in it.
type plain struct {
	*Model
	fs      vfs.FS
	dir     string
	lock    io.Closer
	file    vfs.File
	end     int64
	written int // of the batches that are pending
	failed  error
	bug     bug
}

// bug is a fault that is planted in a plain store.
type bug int

const (
	none            bug = iota
	unsynced            // a batch counts as durable once it is written
	unchecked           // records are read back without a look at their checksums
	unnamed             // the folder is not synced after the log got its name
	unsyncedFile        // the log gets its name before its content is synced
	forgetful           // a log that is written anew misses a record
	silent              // a full disk loses what was handed over
	countsAnew          // numbers begin anew when all is settled
	torn                // a batch is written record by record
	skipsBadBatches     // what cannot be read is skipped
)

func openPlain(b bug) Open {
	return func(o Options) (Subject, error) {
		if err := o.FS.MkdirAll(o.Dir); err != nil {
			return nil, err
		}
		lock, err := o.FS.Lock(filepath.Join(o.Dir, "lock"))
		if err != nil {
			return nil, err
		}
		p := &plain{fs: o.FS, dir: o.Dir, lock: lock, bug: b}
		var state State
		if err := p.recover(&state); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
		state.Reopen()
		p.Model = reopened(&Model{Manual: true, Events: o.Events}, &state)
		if err := p.Checkpoint(); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
		return p, nil
	}
}

func (p *plain) name() string { return filepath.Join(p.dir, "log") }

// recover makes of a state what the log says.
func (p *plain) recover(s *State) error {
	f, err := p.fs.Open(p.name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	log := make([]byte, size)
	if _, err := f.ReadAt(log, 0); err != nil && err != io.EOF {
		return err
	}
	for len(log) >= 8 {
		n := int(binary.LittleEndian.Uint32(log))
		if n == 0 || n > len(log)-8 {
			break
		}
		body := log[8 : 8+n]
		good := crc32.ChecksumIEEE(body) == binary.LittleEndian.Uint32(log[4:])
		log = log[8+n:]
		if !good && p.bug == skipsBadBatches {
			continue
		}
		if !good && p.bug != unchecked {
			break
		}
		var changes []Change
		if err := gob.NewDecoder(bytes.NewReader(body)).Decode(&changes); err != nil {
			break
		}
		s.Apply(changes)
	}
	return nil
}

func encode(changes []Change) []byte {
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(changes); err != nil {
		panic(err) // a Change is made of what gob knows
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(body.Len()))
	head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(body.Bytes()))
	return append(head, body.Bytes()...)
}

func (p *plain) Commit() error {
	if p.failed != nil {
		return p.failed
	}
	for _, u := range p.history.pending[p.written:] {
		changes := u.changes
		frames := [][]byte{encode(changes)}
		if p.bug == torn {
			frames = nil
			for i := range changes {
				frames = append(frames, encode(changes[i:i+1]))
			}
		}
		end := p.end
		for _, frame := range frames {
			if _, err := p.file.WriteAt(frame, end); err != nil {
				return p.refused(err)
			}
			end += int64(len(frame))
		}
		p.end = end
		p.written++
	}
	if p.bug != unsynced {
		if err := p.file.Sync(); err != nil {
			return p.refused(err)
		}
	}
	p.written = 0
	return p.Model.Commit()
}

// refused deals with an error of the disk: one that has no room may have some later.
func (p *plain) refused(err error) error {
	if errors.Is(err, vfs.ErrNoSpace) {
		if p.bug == silent {
			p.written = len(p.history.pending)
		}
		return err
	}
	p.failed = err
	p.Fail(err)
	return err
}

func (p *plain) CopyOut() error { return nil }
func (p *plain) Compact() error { return nil }

// Checkpoint writes the log anew.
func (p *plain) Checkpoint() error {
	if p.file != nil {
		if err := p.Commit(); err != nil {
			return err
		}
	}
	changes := p.history.durable.contents()
	switch i := len(changes) / 2; {
	case p.bug == forgetful && len(changes) > 20:
		changes = append(changes[:i:i], changes[i+1:]...)
	case p.bug == countsAnew:
		kept := changes[:0]
		for _, c := range changes {
			if c.Op != Settle {
				kept = append(kept, c)
			}
		}
		changes = kept
	}
	f, err := p.fs.Create(p.name() + ".tmp")
	if err != nil {
		return p.refused(err)
	}
	frame := encode(changes)
	if _, err := f.WriteAt(frame, 0); err != nil {
		return errors.Join(p.refused(err), f.Close(), p.fs.Remove(p.name()+".tmp"))
	}
	if p.bug != unsyncedFile {
		if err := f.Sync(); err != nil {
			return errors.Join(p.refused(err), f.Close())
		}
	}
	if err := p.fs.Rename(p.name()+".tmp", p.name()); err != nil {
		return errors.Join(p.refused(err), f.Close())
	}
	if p.bug != unnamed {
		if err := p.fs.SyncDir(p.dir); err != nil {
			return errors.Join(p.refused(err), f.Close())
		}
	}
	old := p.file
	p.file, p.end = f, int64(len(frame))
	if old != nil {
		if err := old.Close(); err != nil {
			return p.refused(err)
		}
	}
	return nil
}

func (p *plain) Close() error {
	err := p.Commit()
	if err != nil {
		p.Fail(err) // what is not on the disk now never will be
	}
	return errors.Join(err, p.file.Close(), p.Model.Close(), p.lock.Close())
}
