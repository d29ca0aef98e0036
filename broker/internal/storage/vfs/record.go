package vfs

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
)

// Recording is what was done to a Memory, step by step, so that the power can be cut behind each step and in each of the
// ways in which that can leave the disk. Its methods may be called from any goroutine, also while the recording goes on.
//
// A test runs a store once over a Memory that is recorded and notes Len whenever something is confirmed. Then for each n,
// and each Cut behind n, it opens the store on the Cut's disk and checks that all that was confirmed up to n is there.
type Recording struct {
	m     *Memory
	start *Memory

	mu    sync.Mutex
	steps []step  // by mu
	at    *Memory // by mu: start with the first done steps done
	done  int     // by mu
}

// Record starts recording what changes m: OpCreate, OpWriteAt, OpTruncate, OpRename, OpRemove, OpLink, OpMkdirAll, OpSync
// and OpSyncDir, each once it has succeeded (of a write that did not fit the part that did; of Lock the making of its file).
// It goes on until Stop; starting another one stops it too. It keeps all that is written.
func Record(m *Memory) *Recording {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.record = &Recording{m: m, start: m.clone()}
	return m.record
}

// Stop ends the recording. What was recorded stays.
func (r *Recording) Stop() {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if r.m.record == r {
		r.m.record = nil
	}
}

func (r *Recording) add(s step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Count = len(r.steps) + 1
	r.steps = append(r.steps, s)
}

// Len returns how many steps there are.
func (r *Recording) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.steps)
}

// Step returns step n, from 1 to Len. Its Count is n.
func (r *Recording) Step(n int) Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.steps[n-1].Op
}

// At returns the disk as it was behind the first n steps, from 0 to Len, with nothing lost and nothing open: as Clone would
// have then. It costs most when n is less than in the call before.
func (r *Recording) At(n int) *Memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n < 0 || n > len(r.steps) {
		panic(fmt.Sprintf("vfs: Recording.At(%d) of %d steps", n, len(r.steps)))
	}
	if r.at == nil || n < r.done {
		r.at, r.done = r.start.Clone(), 0
		r.at.replay = true
	}
	for ; r.done < n; r.done++ {
		r.at.redo(r.steps[r.done])
	}
	return r.at.Clone()
}

// redo does a recorded step, unless it is to a file that had lost its last name for good before the recording began.
func (m *Memory) redo(s step) {
	switch s.Kind {
	case OpWriteAt, OpTruncate, OpSync:
		if m.inodes[s.node] == nil {
			return
		}
	}
	m.do(s)
}

// Cut is one way in which a power cut leaves the disk.
type Cut struct {
	After int // how many steps had been done
	Kept  int // how many things, of those that Memory lists, had arrived
	Lost  int // and how many of them had not, or were not asked about since one that they follow had not
	Disk  *Memory
}

// String returns the cut in a line.
func (c Cut) String() string {
	return fmt.Sprintf("power cut behind step %d, with %d of %d unsynced things on the disk", c.After, c.Kept, c.Kept+c.Lost)
}

// Cuts yields ways in which a power cut behind the first n steps leaves the disk: all there are, each once, if they are at
// most limit. Otherwise it yields limit of them, among which may be equal ones: first everything lost and everything kept,
// and then in turn all but one thing kept; a single thing kept; all up to one thing kept, in the order of the writes of each
// file; each thing by chance. rnd says which. A limit below 2 counts as 2.
func (r *Recording) Cuts(n, limit int, rnd *rand.Rand) iter.Seq[Cut] {
	return func(yield func(Cut) bool) {
		limit := max(limit, 2)
		disk := r.At(n)
		things := 0
		all := disk.afterCrash(func() bool { things++; return true })
		if things < 31 && 1<<things <= limit {
			everyCut(disk, n, things, yield)
			return
		}
		asked := 0
		cut := func(survives func(i int) bool) Cut {
			kept := 0
			asked = 0
			after := disk.afterCrash(func() bool {
				s := survives(asked)
				asked++
				if s {
					kept++
				}
				return s
			})
			return Cut{After: n, Kept: kept, Lost: things - kept, Disk: after}
		}
		nothing := cut(func(int) bool { return false })
		single := max(asked, 1) // of these each may be there alone; the others follow some
		if !yield(nothing) || !yield(Cut{After: n, Kept: things, Disk: all}) {
			return
		}
		for k := range limit - 2 {
			var c Cut
			switch k % 4 {
			case 0:
				one := rnd.IntN(things)
				c = cut(func(i int) bool { return i != one })
			case 1:
				one := rnd.IntN(single)
				c = cut(func(i int) bool { return i == one })
			case 2:
				one := rnd.IntN(things)
				c = cut(func(i int) bool { return i < one })
			default:
				keep := rnd.Float64()
				c = cut(func(int) bool { return rnd.Float64() < keep })
			}
			if !yield(c) {
				return
			}
		}
	}
}

// everyCut yields every way: it walks the tree of answers, of which those behind a lost thing may not be asked for.
func everyCut(disk *Memory, n, things int, yield func(Cut) bool) {
	var answers []bool
	for {
		i, kept := 0, 0
		after := disk.afterCrash(func() bool {
			if i == len(answers) {
				answers = append(answers, true)
			}
			i++
			if answers[i-1] {
				kept++
			}
			return answers[i-1]
		})
		if !yield(Cut{After: n, Kept: kept, Lost: things - kept, Disk: after}) {
			return
		}
		for len(answers) > 0 && !answers[len(answers)-1] {
			answers = answers[:len(answers)-1]
		}
		if len(answers) == 0 {
			return
		}
		answers[len(answers)-1] = false
	}
}
