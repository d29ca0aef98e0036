package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// Compare reads all that a store shows and returns in what it differs from a state, or nil; what is wrong with each stream
// is one of the errors that are joined. What the contract leaves open
// is not compared: how far Next is above what it must be, and whether a stream is listed that was mentioned and never held
// a record.
func Compare(s storage.Store, want *State) error {
	return errors.Join(compareStreams(s, want), compareValues(s, want), compareStats(s.Stats(), want))
}

func compareStreams(s storage.Store, want *State) error {
	listed := s.Streams()
	if !slices.IsSorted(listed) {
		return fmt.Errorf("Streams is not in order: %d", listed)
	}
	for _, id := range want.ids(func(st *streamState) bool { return st.held && !st.dropped }) {
		if _, found := slices.BinarySearch(listed, id); !found {
			return fmt.Errorf("stream %d is not listed: %d", id, listed)
		}
	}
	var wrong []error
	for _, id := range listed {
		if err := compareStream(s.Stream(id), want.streams[id]); err != nil {
			wrong = append(wrong, fmt.Errorf("stream %d: %w", id, err))
		}
	}
	return errors.Join(wrong...)
}

// compareStream compares a stream that is listed.
func compareStream(s storage.Stream, want *streamState) error {
	switch {
	case want == nil:
		return errors.New("it is listed, and nothing should be known of it")
	case want.dropped:
		return errors.New("it is listed, and was dropped")
	case s == nil:
		return errors.New("it is listed and not there")
	}
	info := s.Info()
	if info.Next < want.next {
		return fmt.Errorf("its next is %d, and %d was mentioned", info.Next, want.next-1)
	}
	if info.Records != len(want.records) {
		return fmt.Errorf("it is said to have %d records, want %d", info.Records, len(want.records))
	}
	if len(want.records) == 0 {
		if info.First != info.Next {
			return fmt.Errorf("it is empty, its first is %d and its next %d", info.First, info.Next)
		}
		if info.Bytes != 0 {
			return fmt.Errorf("it is empty and has %d bytes", info.Bytes)
		}
	} else if info.First != want.records[0].seq {
		return fmt.Errorf("its first is %d, want %d", info.First, want.records[0].seq)
	}
	if err := compareRead(s, want, 0); err != nil {
		return err
	}
	if n := len(want.records); n > 1 {
		return compareRead(s, want, want.records[n/2].seq)
	}
	return nil
}

// compareRead reads a stream from a number on, all of it.
func compareRead(s storage.Stream, want *streamState, from uint64) error {
	i, _ := want.find(from)
	var wrong error
	err := s.Read(from, func(r *storage.Record) bool {
		if i == len(want.records) {
			wrong = fmt.Errorf("Read(%d) shows record %d behind the last", from, r.Seq)
			return false
		}
		wrong = compareRecord(r, want, &want.records[i])
		i++
		return wrong == nil
	})
	switch {
	case wrong != nil:
		return wrong
	case err != nil:
		return fmt.Errorf("Read(%d): %w", from, err)
	case i < len(want.records):
		return fmt.Errorf("Read(%d) ends before record %d", from, want.records[i].seq)
	}
	return nil
}

func compareRecord(r *storage.Record, st *streamState, want *record) error {
	switch {
	case r.Seq != want.seq:
		return fmt.Errorf("record %d is shown, want %d", r.Seq, want.seq)
	case r.Deadline != want.deadline:
		return fmt.Errorf("record %d has deadline %d, want %d", r.Seq, r.Deadline, want.deadline)
	case r.Deliveries != st.deliveries(want):
		return fmt.Errorf("record %d has been out %d times, want %d", r.Seq, r.Deliveries, st.deliveries(want))
	case !bytes.Equal(r.Payload, want.payload):
		return fmt.Errorf("record %d is not what was written: %s, want %s", r.Seq, brief(r.Payload), brief(want.payload))
	}
	return nil
}

func brief(b []byte) string {
	if len(b) > 24 {
		return fmt.Sprintf("%d bytes %q…", len(b), b[:24])
	}
	return fmt.Sprintf("%q", b)
}

func compareValues(s storage.Store, want *State) error {
	n, last := 0, ""
	for key, value := range s.Values("") {
		if n > 0 && key <= last {
			return fmt.Errorf("value %q comes behind %q", key, last)
		}
		n, last = n+1, key
		w, ok := want.values[key]
		if !ok {
			return fmt.Errorf("value %q is there, which was not put or was deleted", key)
		}
		if !bytes.Equal(value, w) {
			return fmt.Errorf("value %q is %s, want %s", key, brief(value), brief(w))
		}
		if v, ok := s.Value(key); !ok || !bytes.Equal(v, w) {
			return fmt.Errorf("Value(%q) is %s, %t", key, brief(v), ok)
		}
	}
	if n != len(want.values) {
		return fmt.Errorf("%d values are there, want %d", n, len(want.values))
	}
	return nil
}

func compareStats(got storage.Stats, want *State) error {
	records := 0
	for _, st := range want.streams {
		records += len(st.records)
	}
	if got.Records != records {
		return fmt.Errorf("Stats().Records is %d, want %d", got.Records, records)
	}
	return nil
}

// compareDue asks for what is due on a stream by a moment, and compares with what should be.
func compareDue(s storage.Stream, want *streamState, before int64) error {
	var due []uint64
	next, err := s.Due(before, func(r *storage.Record) bool {
		due = append(due, r.Seq)
		return true
	})
	if err != nil {
		return fmt.Errorf("Due(%d): %w", before, err)
	}
	var wantDue []uint64
	var earliest int64
	for i := range want.records {
		switch r := &want.records[i]; {
		case r.deadline == 0:
		case r.deadline <= before:
			wantDue = append(wantDue, r.seq)
		case earliest == 0 || r.deadline < earliest:
			earliest = r.deadline
		}
	}
	switch {
	case !slices.Equal(due, wantDue):
		return fmt.Errorf("Due(%d) shows %d, want %d", before, due, wantDue)
	case earliest == 0 && next != 0 && next <= before, earliest != 0 && (next <= before || next > earliest):
		return fmt.Errorf("Due(%d) says that the next is at %d, and it is at %d", before, next, earliest)
	}
	return nil
}
