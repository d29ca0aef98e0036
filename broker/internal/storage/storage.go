package storage

import (
	"errors"
	"fmt"
	"iter"
)

// Ticket is a place in the order of commits. The zero Ticket is before everything: it is always durable.
type Ticket uint64

// Sync says when a commit counts as durable.
type Sync uint8

const (
	// Always: once fdatasync has returned. What is confirmed survives a power cut.
	Always Sync = iota
	// Interval: once the operating system has it; it is synced at intervals. A power cut takes what is younger.
	Interval
	// Never: once the operating system has it. When it reaches the disk is the operating system's business.
	Never
)

// String returns the word of the configuration.
func (s Sync) String() string {
	switch s {
	case Always:
		return "always"
	case Interval:
		return "interval"
	case Never:
		return "never"
	}
	return fmt.Sprintf("Sync(%d)", uint8(s))
}

// Pressure is why nothing more should be published for now. Settling, and reading, go on.
type Pressure uint8

const (
	// Easy: there is none.
	Easy Pressure = iota
	// Behind: what was published comes faster than it can be filed.
	Behind
	// Full: the disk has less room than it must have.
	Full
)

// Events is how a store tells its owner what happens. The functions are called from goroutines of the store with no lock
// held, never two of a kind at a time, and must return soon. Nil ones are not called.
type Events struct {
	// Committed: everything up to the ticket is durable.
	Committed func(durable Ticket)
	// Pressed: the pressure has changed.
	Pressed func(Pressure)
	// Failed: the disk has failed in a way after which nothing can be promised. No ticket becomes durable any more. Called
	// at most once.
	Failed func(err error)
}

// ErrClosed is returned by a store that was closed.
var ErrClosed = errors.New("storage: closed")

// DamageError says that bytes on the disk are not the ones that were written.
type DamageError struct {
	File   string // its name within the data folder
	Offset int64
	What   string // what was there
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s", e.File, e.Offset, e.What)
}

// Store keeps streams of records, and values by key. Its methods may be called from any goroutine.
type Store interface {
	// NewStream returns a stream that holds nothing, with an id that no stream had before. Nothing is written for it: it
	// exists on disk from its first record on.
	NewStream() Stream
	// Stream returns a stream that was found on opening, or nil.
	Stream(id uint64) Stream
	// Streams returns the ids of all streams that hold something or have held something since they were made, in order.
	Streams() []uint64

	// Value returns what was put under a key. The bytes are the store's: they are not to be changed.
	Value(key string) ([]byte, bool)
	// Values yields the keys that begin with prefix, in order, with their values. It sees the state of its call's moment.
	Values(prefix string) iter.Seq2[string, []byte]

	// NewBatch returns a batch for one goroutine at a time.
	NewBatch() Batch

	// Durable returns up to which ticket everything is durable.
	Durable() Ticket
	// Wait blocks until the ticket is durable. It fails when it never will be: the store has failed or is closed.
	Wait(Ticket) error

	// Stats returns figures for showing.
	Stats() Stats
	// Close commits what was handed over and closes the files.
	Close() error
}

// Batch gathers changes and hands them over as one unit: after a crash all of it is there or nothing. It is not safe for
// concurrent use. Changes take effect, for Read and for the state of streams, when Commit returns; that they are durable is
// known when the ticket is.
type Batch interface {
	// Message begins a record of n bytes and returns them to be filled; they are valid until the next call. At least one To
	// follows. However many there are, the bytes are stored once.
	Message(n int) []byte
	// To makes the message a record of a stream, under a sequence number that the stream has not had before and that is
	// above 0. Numbers usually ascend, but batches that were begun at the same time may commit in any order.
	//
	// deadline is whatever time the record is to be found by, 0 for none. A transient record is kept like any other, but is
	// gone when the store is opened again.
	To(s Stream, seq uint64, deadline int64, transient bool)

	// Delivered says that every record of the stream up to seq has been out at least once.
	Delivered(s Stream, seq uint64)
	// Returned says that a record has been out so often and is still wanted.
	Returned(s Stream, seq uint64, deliveries uint16)
	// Settle says that a record is not wanted any more. It may come before the record itself, from a batch that overtakes.
	// Neighbouring calls are written as one range.
	Settle(s Stream, seq uint64)
	// Truncate settles every record of the stream from and including from, up to and excluding to.
	Truncate(s Stream, from, to uint64)
	// Drop ends a stream: nothing of it will be read again.
	Drop(s Stream)

	// Put puts a value under a key; Delete removes it.
	Put(key string, value []byte)
	Delete(key string)

	// Empty reports whether there is nothing to commit, Size how many bytes there are.
	Empty() bool
	Size() int
	// Commit hands everything over, empties the batch and returns the ticket of the commit that it will be part of; of an
	// empty batch, 0. urgent says that somebody waits for it; otherwise it goes with the next commit, or soon. It blocks
	// while much more than the disk takes is waiting already.
	Commit(urgent bool) Ticket
}

// Record is one record of a stream.
type Record struct {
	Seq        uint64
	Deadline   int64
	Deliveries uint16 // as Returned said; at least 1 where Delivered covers it
	Payload    []byte // a view, valid during the call that shows it
}

// StreamInfo is what a stream looks like.
type StreamInfo struct {
	Next    uint64 // above every number that was ever mentioned
	Records int    // that are alive
	Bytes   int64  // of their payloads, estimated where much was settled out of order
	First   uint64 // the first that is alive; Next when there is none
}

// Stream is a sequence of records. A stream's methods may be called from any goroutine.
type Stream interface {
	// ID is the stream's number, which no other ever has.
	ID() uint64
	// Info returns what the stream looks like.
	Info() StreamInfo
	// Read shows the live records from number from on, in order, until visit returns false or there are no more. It reads
	// from the disk. A *DamageError says that a record cannot be read; those before it were shown.
	Read(from uint64, visit func(*Record) bool) error
	// Due shows the live records whose deadlines are at most before, in the order of their numbers, until visit returns
	// false; it returns a deadline that none of the others is earlier than, or 0 when none has one.
	Due(before int64, visit func(*Record) bool) (next int64, err error)
}

// Stats are figures for showing.
type Stats struct {
	Streams     int
	Records     int   // that are alive
	Bytes       int64 // of their payloads
	Disk        int64 // bytes of all files
	JournalDisk int64 // of which journal
	Files       int
	Commits     uint64 // since the store was opened
	Written     uint64 // bytes of journal since then
	Filed       uint64 // bytes that were written to segments since then
	Free        uint64 // bytes that the disk has left, as of the last look; 0 is unknown
}
