package fsck

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
)

// replay reads the journal. Where a recovery would refuse it, it goes on behind what is damaged.
func (s *survey) replay() error {
	for _, n := range s.wanted() {
		if _, ok := s.sizes[journal.Name(n)]; ok {
			s.journals = append(s.journals, n)
			continue
		}
		p := s.problem(journal.Name(n), 0, 0, "it is missing")
		p.Means = "messages in it are lost, and it cannot be told how many; such as were acknowledged in it come again; definitions may be missing"
		p.Repair = "it is forgotten"
		s.defaced = true
	}
	next := s.cp.Ticket + 1
	if s.guessed {
		next = 1 << 62 // whatever the first frame is
	}
	var last journal.Pos
	found, err := journal.Scan(s.fs, s.dir, s.journals, next, func(file uint64, off int64, unit []byte) error {
		last = journal.Pos{File: file, Offset: off + int64(len(unit))}
		return s.ctx.Err()
	})
	damage, isDamage := errors.AsType[*storage.DamageError](err)
	if err != nil && !isDamage {
		return err
	}
	s.lastFrame = found.Last
	at := s.cp.At
	if err == nil && slices.Contains(s.journals, at.File) && (last.File < at.File || last.File == at.File && last.Offset < at.Offset) {
		damage, isDamage = &storage.DamageError{File: journal.Name(at.File), Offset: last.Offset, What: "it ends before what the checkpoint knows of it"}, true
		if last.File != at.File {
			damage.Offset = 0
		}
	}
	if !isDamage && found.TornFile != 0 {
		s.note("the end of %s, %d bytes from byte %d on, was being written when the broker ended; nobody was told that it is safe",
			journal.Name(found.TornFile), found.TornBytes, found.TornAt)
	}
	type gap struct {
		*storage.DamageError
		bytes int64
	}
	var gaps []gap
	reached := map[uint64]int64{} // by file: where the last unit that can be read ends
	file := uint64(0)
	err = journal.Salvage(s.fs, s.dir, s.journals, func(number uint64, off int64, unit []byte) error {
		if number != file {
			file = number
			s.meter.file(journal.Name(number))
		}
		reached[number] = off + int64(len(unit))
		s.meter.add(int64(len(unit)))
		if err := s.ctx.Err(); err != nil {
			return err
		}
		return s.unit(number, off, unit)
	}, func(what *storage.DamageError, bytes int64) { gaps = append(gaps, gap{what, bytes}) })
	if err != nil || !isDamage {
		return err
	}
	if !slices.ContainsFunc(gaps, func(g gap) bool { return g.File == damage.File }) {
		gaps = append(gaps, gap{damage, 0})
	}
	for _, g := range gaps {
		number, _ := journal.Number(g.File)
		end := g.Offset + g.bytes
		s.unread(g.DamageError, g.bytes, number < at.File || number == at.File && end <= at.Offset && end <= reached[number])
	}
	return nil
}

// unread adds a part of the journal that cannot be read. known says that the checkpoint knows what was in it.
func (s *survey) unread(what *storage.DamageError, bytes int64, known bool) {
	p := s.problem(what.File, what.Offset, bytes, what.What)
	p.Repair = "what is whole before it and behind it is kept"
	if known {
		p.Means = "messages that were in it are lost"
		s.lostFrames = append(s.lostFrames, p)
		return
	}
	s.defaced = true
	messages := "messages, and it cannot be told how many"
	if bytes > 0 {
		messages = "at most " + count(int(max(bytes/leastMessage, 1)), "message")
	}
	p.Means = fmt.Sprintf("what was done in it is lost: %s; acknowledgements, so that messages may come again; and definitions", messages)
}

// leastMessage is how many bytes of journal a message takes at least.
const leastMessage = 30

// wanted returns the files of the journal that a recovery would read.
func (s *survey) wanted() []uint64 {
	if s.guessed {
		return s.chain()
	}
	files := slices.Clone(s.cp.Journals)
	for _, name := range s.names {
		if n, ok := journal.Number(name); ok && n > s.cp.Known && s.bodies[n] == nil {
			files = append(files, n)
		}
	}
	if at := s.cp.At.File; at > s.cp.Known && s.bodies[at] == nil && !slices.Contains(files, at) {
		files = append(files, at) // it was begun after the files were listed, and before the checkpoint was written
	}
	// Of those that were begun later the next one knows.
	for _, n := range files {
		before, err := journal.Previous(s.fs, s.dir, n)
		if err == nil && before > s.cp.Known && s.bodies[before] == nil && !slices.Contains(files, before) {
			files = append(files, before)
		}
	}
	slices.Sort(files)
	return files
}

// chain returns the files of the journal that are left without those that only have payloads for segments.
func (s *survey) chain() (files []uint64) {
	for _, name := range s.names {
		if n, ok := journal.Number(name); ok && s.bodies[n] == nil {
			files = append(files, n)
		}
	}
	slices.Sort(files)
	return files
}

// losses finds out what is lost: what should be alive, and cannot be read.
func (s *survey) losses() error {
	bySegment := map[*segmentFile][]Loss{}
	var journaled []Loss
	for _, id := range slices.Sorted(maps.Keys(s.streams)) {
		st := s.streams[id]
		for _, p := range st.parts {
			if !p.file.damaged {
				continue
			}
			if gone := p.live.without(p.file.whole[id]); len(gone) > 0 {
				bySegment[p.file] = append(bySegment[p.file], Loss{Stream: id, Messages: gone.count(), Seqs: gone.first(maxSeqs)})
				p.live = p.live.without(gone)
			}
		}
		if gone := st.awaited.without(st.settled); len(gone) > 0 {
			journaled = append(journaled, Loss{Stream: id, Messages: gone.count(), Seqs: gone.first(maxSeqs)})
		}
		st.awaited = nil
	}
	for _, f := range s.segments {
		if len(f.why) == 0 {
			continue
		}
		p := f.why[0]
		p.Lost = bySegment[f]
		switch {
		case f.seg == nil:
			p.Means = "messages in it that cannot be read are lost; as it cannot be told which of the others were acknowledged, such messages may come again"
		case len(p.Lost) == 0:
			p.Means = "nothing that is wanted is lost"
		}
	}
	if len(journaled) > 0 {
		if len(s.lostFrames) == 0 {
			p := s.problem(disk.CheckpointName, 0, 0, "records that it knows of are not in the journal")
			p.Repair = "they are forgotten"
			s.lostFrames = append(s.lostFrames, p)
		}
		s.lostFrames[0].Lost = journaled
	}
	for _, p := range s.lostFrames {
		if len(p.Lost) == 0 {
			p.Means = "nothing that is wanted is lost"
			if len(journaled) > 0 {
				p.Means = "what is lost is said at the first place"
			}
		}
	}
	return nil
}

// maxSeqs is how many numbers a Loss lists.
const maxSeqs = 100
