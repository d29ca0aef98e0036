package fsck

import (
	"cmp"
	"slices"
)

// Report is what Check or Repair has found.
type Report struct {
	Dir      string    `json:"dir"`
	Files    []File    `json:"files"`
	Queues   []Queue   `json:"queues"` // that can be told; those of a damaged folder as they are after Repair
	Problems []Problem `json:"problems"`
	// Notes say what is unusual and does no harm: what a crash has torn, files that belong to nothing.
	Notes []string `json:"notes,omitempty"`
	// Moved are the damaged files that Repair has put aside, within the folder.
	Moved []string `json:"moved,omitempty"`
}

// Kind is what a file of a data folder is for.
type Kind string

// The kinds of files.
const (
	KindCheckpoint Kind = "checkpoint" // which files count, and how far each queue is worked off
	KindMeta       Kind = "meta"       // definitions
	KindJournal    Kind = "journal"    // what was committed last
	KindBodies     Kind = "bodies"     // a file that was one of the journal, kept for the large messages in it
	KindSegment    Kind = "segment"    // what has outlived its journal
	KindSpare      Kind = "spare"      // room for the journal to come
	KindLock       Kind = "lock"
	KindLeftover   Kind = "leftover" // what a crash has left; the next start removes it
	KindForeign    Kind = "foreign"  // nothing of Warren's
)

// File is a file of a data folder.
type File struct {
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	Bytes int64  `json:"bytes"`
	// Messages is how many that wait in queues lie in the file, and MessageBytes how long they are. A message of several
	// queues counts in each.
	Messages     int   `json:"messages,omitempty"`
	MessageBytes int64 `json:"message_bytes,omitempty"`
}

// Queue is a queue with what waits in it.
type Queue struct {
	VHost    string `json:"vhost"`
	Name     string `json:"name"` // empty: the queue is not durable, or is not known any more
	Stream   uint64 `json:"stream"`
	Messages int    `json:"messages"`
	Bytes    int64  `json:"bytes"` // of the messages, about
}

// Problem is something that is not as it was written.
type Problem struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes,omitempty"` // that cannot be read from there on; 0 is not known
	What   string `json:"what"`            // what is wrong with the file
	Means  string `json:"means"`           // what that means to a user
	Repair string `json:"repair"`          // what Repair does about it, or has done
	Lost   []Loss `json:"lost,omitempty"`  // of what is known to be lost
}

// Loss is messages of a queue that cannot be read. The queue is named as in Queue.
type Loss struct {
	VHost    string   `json:"vhost"`
	Queue    string   `json:"queue"`
	Stream   uint64   `json:"stream"`
	Messages int      `json:"messages"`
	Seqs     []uint64 `json:"seqs,omitempty"` // their numbers: the first hundred
}

// Messages returns how many messages wait in the queues.
func (r *Report) Messages() (n int) {
	for _, q := range r.Queues {
		n += q.Messages
	}
	return n
}

// Bytes returns how long the files are.
func (r *Report) Bytes() (n int64) {
	for _, f := range r.Files {
		n += f.Bytes
	}
	return n
}

// Lost returns how many messages are known to be lost.
func (r *Report) Lost() (n int) {
	for _, p := range r.Problems {
		for _, l := range p.Lost {
			n += l.Messages
		}
	}
	return n
}

// sortProblems puts them in the order of files and offsets.
func (r *Report) sortProblems() {
	slices.SortStableFunc(r.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset))
	})
}
