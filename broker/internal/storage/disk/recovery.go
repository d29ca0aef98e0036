package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
)

// replay opens the journal and removes what nobody needs.
func (rc *recovery) replay(cp *decoded) error {
	bodies := map[uint64]bool{}
	for _, f := range rc.segments {
		for _, b := range f.bodies {
			bodies[b.number] = true
		}
	}
	files := slices.Clone(cp.journals)
	for _, name := range rc.names {
		if n, ok := journal.Number(name); ok && n > cp.known && !bodies[n] {
			files = append(files, n)
		}
	}
	st := rc.Store
	j, found, err := journal.Open(journal.Config{
		FS: st.fs, Dir: st.o.Dir, FileSize: st.o.JournalSize, Sync: st.o.Sync, Interval: st.o.Interval, Number: st.number, Manual: st.o.Manual,
		Committed: st.committed,
		Sealed:    st.call,
		NoRoom: func(noRoom bool) {
			st.pressure.set(func(p *pressure) { p.noRoom = noRoom })
			st.tell()
		},
		Failed: func(err error) {
			st.fail(err)
			st.tell()
		},
		Logger: st.log,
	}, files, cp.ticket+1, rc.unit)
	if err != nil {
		return missing("the journal", err)
	}
	st.journal = j
	if slices.Contains(files, cp.at.File) && before(st.at, cp.at) {
		return &storage.DamageError{File: journalName(cp.at.File), Offset: cp.at.Offset, What: "it ends before what the checkpoint knows of it"}
	}
	if rc.missing > 0 {
		return damaged("the journal", fmt.Errorf("%d records that the checkpoint knows are missing", rc.missing))
	}
	if before(st.at, cp.at) {
		st.at = cp.at // and its file is not there any more
	}
	st.ticket, st.dropped = max(st.ticket, found.Last), nil
	if found.TornFile != 0 {
		st.log.Warn("the end of the journal was torn by a crash, and is cut", slog.String("file", journalName(found.TornFile)),
			slog.Int64("at", found.TornAt), slog.Int64("bytes", found.TornBytes))
	}
	return rc.clean(files, bodies)
}

func before(a, b journal.Pos) bool {
	return a.File < b.File || a.File == b.File && a.Offset < b.Offset
}

// unit takes a unit of the journal.
func (rc *recovery) unit(number uint64, off int64, unit []byte) error {
	at := journal.Pos{File: number, Offset: off}
	known := before(at, rc.at)
	f := rc.fileAt(at)
	end := off + int64(len(unit))
	f.end.Store(end)
	if rc.Store.at = (journal.Pos{File: number, Offset: end}); known && before(rc.at, rc.Store.at) {
		return &storage.DamageError{File: journalName(number), Offset: off, What: "the checkpoint says that a batch ends within this one"}
	}
	var c change
	message, again := -1, false
	size := 0
	for next := 0; next < len(unit); {
		from := next
		var err error
		if next, err = decode(unit, from, &c); err != nil {
			return &storage.DamageError{File: journalName(number), Offset: off + int64(from), What: err.Error()}
		}
		switch c.kind {
		case opMessage:
			message, again, size = c.block, false, c.size
		case opPut, opDelete:
			if !known {
				rc.values.set(&c)
			}
			continue
		case opTo:
			if c.at-c.back != message {
				return &storage.DamageError{File: journalName(number), Offset: off + int64(from), What: "a record whose payload is not a message's"}
			}
			if size >= large && !again {
				f.large += int64(size)
			}
			again = true
		}
		if c.kind == opMessage {
			continue
		}
		if known {
			rc.find(f, off, &c, size)
		} else {
			rc.apply(f, off, &c, size)
		}
	}
	return nil
}

// find takes the place of a record that the checkpoint knows to be alive.
func (rc *recovery) find(f *file, unit int64, c *change, size int) {
	if c.kind != opTo || !rc.journaled[c.stream].has(c.from) {
		return
	}
	rc.missing--
	if !c.transient {
		rc.streams[c.stream].place(f, c.from, uint32(unit+int64(c.at)), c.deadline, int64(size))
	}
}

// apply makes a change take effect that the checkpoint does not know.
func (rc *recovery) apply(f *file, unit int64, c *change, size int) {
	rc.lastStream.Store(max(rc.lastStream.Load(), c.stream))
	if rc.dropped.has(c.stream) {
		return
	}
	s := rc.streams[c.stream]
	if s == nil {
		s = newStream(rc.Store, c.stream)
		rc.learn(s)
	}
	if c.kind == opTo && c.transient {
		s.mention(c.from)
		return
	}
	s.apply(f, unit, &step{kind: c.kind, deliveries: c.deliveries, size: uint32(size), at: c.at, from: c.from, to: c.to, deadline: c.deadline})
	if c.kind == opDrop {
		rc.forget(s)
	}
}

// clean removes files that nobody needs: of steps that a crash has cut short.
func (rc *recovery) clean(journals []uint64, bodies map[uint64]bool) error {
	needed := map[string]bool{}
	for _, n := range journals {
		needed[journalName(n)] = true
	}
	for n := range bodies {
		needed[journalName(n)] = true
	}
	for _, f := range rc.segments {
		needed[segmentName(f.number)] = true
	}
	if rc.saved.meta != 0 {
		needed[metaName(rc.saved.meta)] = true
	}
	for _, name := range rc.names {
		if needed[name] || !ours(name) {
			continue
		}
		if err := rc.fs.Remove(filepath.Join(rc.o.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("disk: %w", err)
		}
	}
	return nil
}

// ours reports whether a file of that name is one of the store's, except for those that stay and those that are the
// journal's own.
func ours(name string) bool {
	if name == checkpointName+tempSuffix {
		return true
	}
	name, _ = strings.CutSuffix(name, tempSuffix)
	_, isSegment := segment.Number(name)
	_, isMeta := metaNumber(name)
	_, isJournal := journal.Number(name)
	return isSegment || isMeta || isJournal
}
