package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/storage"
)

var streamLaws = []law{
	{"ANewStreamHoldsNothingAndIsNotListed", func(f *fixture) {
		s := f.store.NewStream()
		i := s.Info()
		if i.Records != 0 || i.Bytes != 0 || i.First != i.Next || i.Next == 0 {
			f.Fatalf("%+v", i)
		}
		if ids := f.store.Streams(); len(ids) != 0 {
			f.Fatalf("listed: %d", ids)
		}
		f.ok(s.Read(0, func(r *storage.Record) bool { f.Fatalf("record %d", r.Seq); return false }))
		if n, err := s.Due(1<<62, func(r *storage.Record) bool { f.Fatalf("record %d", r.Seq); return false }); n != 0 || err != nil {
			f.Fatal(n, err)
		}
	}},
	{"AStreamThatHasHeldSomethingIsListedForGood", func(f *fixture) {
		s, quiet := f.stream(), f.stream()
		f.do(to(s, 1, "x"), transient(to(quiet, 7, "x")))
		f.do(settle(s, 1))
		f.same()
		for range 3 {
			f.reopen()
			f.same()
			f.equal("listed", f.store.Streams(), []uint64{s, quiet})
			if f.on(s).Info().Next < 2 || f.on(quiet).Info().Next < 8 {
				f.Fatalf("numbers come again: %+v, %+v", f.on(s).Info(), f.on(quiet).Info())
			}
		}
	}},
	{"AnUnknownStreamIsNil", func(f *fixture) {
		if s := f.store.Stream(1 << 40); s != nil {
			f.Fatalf("%+v", s)
		}
	}},
	{"IdsOfStreamsNeverComeAgain", func(f *fixture) {
		var highest uint64
		for range 4 {
			for range 3 {
				kept, dropped := f.stream(), f.stream()
				if kept <= highest || dropped <= kept {
					f.Fatalf("ids %d and %d come after %d", kept, dropped, highest)
				}
				highest = dropped
				f.do(to(kept, 1, "x"), to(dropped, 1, "x"))
				f.do(drop(dropped))
			}
			f.reopen()
		}
	}},
	{"NumbersNeverComeAgain", func(f *fixture) {
		s, settled, cut := f.stream(), f.stream(), f.stream()
		f.do(run(s, 1, 10, "x")...)
		f.do(to(settled, 1, "x"), to(cut, 1, "x"))
		f.do(truncate(s, 1, 11), settle(settled, 77), truncate(cut, 1, 50))
		for range 3 {
			for id, least := range map[uint64]uint64{s: 11, settled: 78, cut: 50} {
				if i := f.on(id).Info(); i.Next < least {
					f.Fatalf("Next is %d, and %d was mentioned", i.Next, least-1)
				}
			}
			f.reopen()
		}
	}},
	{"RecordsAreReadInTheOrderOfTheirNumbersFromANumberOn", func(f *fixture) {
		s := f.stream()
		f.do(to(s, 5, "five"), to(s, 2, "two"), to(s, 90, "ninety"))
		f.do(to(s, 3, "three"))
		for range 2 {
			f.equal("from 0", f.seqs(s, 0), []uint64{2, 3, 5, 90})
			f.equal("from 3", f.seqs(s, 3), []uint64{3, 5, 90})
			f.equal("from 4", f.seqs(s, 4), []uint64{5, 90})
			f.equal("from 91", f.seqs(s, 91), nil)
			f.reopen()
		}
	}},
	{"ReadEndsWhenVisitSaysSo", func(f *fixture) {
		s := f.stream()
		f.do(run(s, 1, 10, "x")...)
		var seen []uint64
		f.ok(f.on(s).Read(3, func(r *storage.Record) bool {
			seen = append(seen, r.Seq)
			return len(seen) < 4
		}))
		f.equal("seen", seen, []uint64{3, 4, 5, 6})
	}},
	{"ASettledRecordIsNotReadAgain", func(f *fixture) {
		s := f.stream()
		f.do(run(s, 1, 100, "payload")...)
		rnd := rand.New(rand.NewPCG(3, 4))
		for _, i := range rnd.Perm(100)[:90] {
			f.do(settle(s, uint64(i+1)))
			f.ok(compareRead(f.on(s), f.want.streams[s], 0))
		}
		f.sameAgain()
	}},
	{"ARecordThatIsSettledTwiceIsCountedOnce", func(f *fixture) {
		s := f.stream()
		f.do(run(s, 1, 5, "x")...)
		f.do(settle(s, 2), settle(s, 2), settle(s, 3))
		f.do(settle(s, 3), truncate(s, 2, 5), truncate(s, 1, 4))
		f.sameAgain()
	}},
	{"ARecordThatWasSettledBeforeItCameIsDeadOnArrival", func(f *fixture) {
		s := f.stream()
		f.do(to(s, 1, "x"))
		f.do(settle(s, 3))
		f.do(to(s, 2, "x"), to(s, 3, "dead"), to(s, 4, "x"))
		f.sameAgain()
		f.do(settle(s, 6), to(s, 6, "dead in one batch"), to(s, 7, "x"))
		f.sameAgain()
	}},
	{"NeighboursThatWereSettledEarlyAreToldApart", func(f *fixture) {
		s := f.stream()
		f.do(settle(s, 2), settle(s, 3), settle(s, 5))
		for _, seq := range []uint64{6, 5, 4, 3, 2, 1} {
			f.do(to(s, seq, "x"))
		}
		f.equal("alive", f.seqs(s, 0), []uint64{1, 4, 6})
		f.sameAgain()
	}},
	{"TruncateSettlesFromUpToAndWithoutTo", func(f *fixture) {
		s := f.stream()
		f.do(run(s, 1, 20, "x")...)
		f.do(truncate(s, 5, 10))
		f.equal("left", f.seqs(s, 0), []uint64{1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
		f.do(truncate(s, 8, 8), truncate(s, 0, 3), truncate(s, 18, 21))
		f.sameAgain()
		f.do(truncate(s, 0, f.on(s).Info().Next))
		f.equal("left", f.seqs(s, 0), nil)
		f.sameAgain()
	}},
	{"WhatIsTruncatedBeforeItComesIsDeadOnArrival", func(f *fixture) {
		s := f.stream()
		f.do(to(s, 1, "x"), to(s, 4, "x"))
		f.do(truncate(s, 1, 4))
		f.do(to(s, 3, "overtaken"), to(s, 2, "overtaken"))
		f.equal("left", f.seqs(s, 0), []uint64{4})
		f.sameAgain()
	}},
	{"NothingOfADroppedStreamIsReadAgain", func(f *fixture) {
		s, other := f.stream(), f.stream()
		payload := []byte("shared")
		f.do(Change{Op: To, Stream: s, Seq: 1, Payload: payload}, Change{Op: To, Stream: other, Seq: 1, Payload: payload})
		f.do(run(s, 2, 30, "x")...)
		handle := f.on(s)
		f.do(drop(s))
		if f.store.Stream(s) != nil {
			f.Fatal("the stream is still there")
		}
		f.ok(handle.Read(0, func(r *storage.Record) bool { f.Fatalf("record %d", r.Seq); return false }))
		if i := handle.Info(); i.Records != 0 || i.Bytes != 0 {
			f.Fatalf("%+v", i)
		}
		f.sameAgain()
		if f.store.Stream(s) != nil {
			f.Fatal("the stream is there again")
		}
	}},
	{"ADroppedStreamTakesNothingMore", func(f *fixture) {
		s := f.stream()
		f.do(to(s, 1, "x"))
		f.do(to(s, 2, "x"), drop(s), to(s, 3, "x"))
		f.do(to(s, 4, "x"), settle(s, 2), delivered(s, 4), returned(s, 1, 3), truncate(s, 1, 3), drop(s))
		f.sameAgain()
	}},
	{"AStreamThatWasNeverWrittenMayBeDropped", func(f *fixture) {
		s := f.stream()
		f.do(drop(s))
		f.sameAgain()
		if f.store.Stream(s) != nil {
			f.Fatal("the stream is there")
		}
	}},
	{"TransientRecordsAreGoneAfterReopening", func(f *fixture) {
		s, all := f.stream(), f.stream()
		for seq := uint64(1); seq <= 30; seq++ {
			c := to(s, seq, fmt.Sprint("record ", seq))
			c.Transient = seq%3 == 0
			f.do(c, transient(to(all, seq, "x")))
		}
		f.sameAgain()
		f.do(to(all, 31, "kept"))
		f.sameAgain()
	}},
	{"DeliveredCoversEveryRecordUpToItsNumber", func(f *fixture) {
		s := f.stream()
		f.do(run(s, 1, 10, "x")...)
		f.do(delivered(s, 4))
		f.sameAgain()
		f.do(delivered(s, 2)) // says nothing new
		f.do(to(s, 12, "x"), delivered(s, 11), to(s, 11, "x"))
		f.sameAgain()
	}},
	{"ReturnedSaysHowOftenARecordHasBeenOut", func(f *fixture) {
		s := f.stream()
		f.do(run(s, 1, 10, "x")...)
		f.do(delivered(s, 3), returned(s, 2, 7), returned(s, 8, 2))
		f.sameAgain()
		f.do(returned(s, 2, 8), returned(s, 8, 65535), settle(s, 3), delivered(s, 9))
		f.sameAgain()
		f.do(settle(s, 2), settle(s, 8))
		f.sameAgain()
	}},
	{"InfoCountsWhatIsAlive", func(f *fixture) {
		s := f.stream()
		f.do(run(s, 1, 40, strings.Repeat("x", 25))...)
		check := func(records int, bytes int64, first, next uint64) {
			f.Helper()
			if i := f.on(s).Info(); i != (storage.StreamInfo{Next: next, Records: records, Bytes: bytes, First: first}) {
				f.Fatalf("%+v, want %d records of %d bytes, the first %d, the next %d", i, records, bytes, first, next)
			}
		}
		check(40, 1000, 1, 41)
		f.do(truncate(s, 1, 11))
		f.reopen()
		if i := f.on(s).Info(); i.Records != 30 || i.First != 11 || i.Next != 41 || i.Bytes <= 0 || i.Bytes > 1000 {
			f.Fatalf("%+v", i)
		}
		f.do(truncate(s, 11, 41))
		check(0, 0, 41, 41)
	}},
	{"DueShowsWhatIsDueByNumberAndSaysWhenToAskAgain", func(f *fixture) {
		s := f.stream()
		f.do(due(to(s, 1, "x"), 50), to(s, 2, "x"), due(to(s, 3, "x"), 10), due(to(s, 4, "x"), 90), due(to(s, 5, "x"), 20))
		for range 2 {
			for _, before := range []int64{1, 10, 20, 49, 50, 89, 90, 1 << 60} {
				f.ok(compareDue(f.on(s), f.want.streams[s], before))
			}
			f.reopen()
		}
		f.do(settle(s, 3), settle(s, 4), due(to(s, 6, "x"), 15))
		for range 2 {
			for _, before := range []int64{1, 14, 15, 20, 60, 90} {
				f.ok(compareDue(f.on(s), f.want.streams[s], before))
			}
			f.reopen()
		}
	}},
	{"DueEndsWhenVisitSaysSoAndDoesNotForgetTheRest", func(f *fixture) {
		s := f.stream()
		f.do(due(to(s, 1, "x"), 30), due(to(s, 2, "x"), 10), due(to(s, 3, "x"), 20))
		next, err := f.on(s).Due(100, func(*storage.Record) bool { return false })
		f.ok(err)
		if next == 0 || next > 10 {
			f.Fatalf("the next is at %d", next)
		}
	}},
	{"DueOfWhatHasNoDeadlineIsNever", func(f *fixture) {
		s := f.stream()
		f.do(run(s, 1, 5, "x")...)
		next, err := f.on(s).Due(1<<62, func(r *storage.Record) bool { f.Fatalf("record %d", r.Seq); return false })
		if next != 0 || err != nil {
			f.Fatal(next, err)
		}
	}},
	{"VisitMayCommitToTheStreamThatItIsShown", func(f *fixture) {
		s := f.stream()
		f.do(run(s, 1, 50, "x")...)
		var seen []uint64
		f.ok(f.on(s).Read(0, func(r *storage.Record) bool {
			if r.Seq <= 50 {
				seen = append(seen, r.Seq)
				f.do(settle(s, r.Seq), to(s, r.Seq+1000, "later"))
			}
			return r.Seq <= 50
		}))
		if !slices.IsSorted(seen) || len(seen) != 50 {
			f.Fatalf("seen: %d", seen)
		}
		f.sameAgain()
	}},
	{"ReadersSeeOrderWhileOthersCommit", func(f *fixture) {
		const records = 3000
		s := f.stream()
		stream := f.on(s)
		payload := func(seq uint64) string {
			return fmt.Sprintf("payload of %d %s", seq, strings.Repeat("-", int(seq%200)))
		}
		var done atomic.Bool
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for last := false; !last; {
					last = done.Load()
					var before uint64
					if err := stream.Read(0, func(r *storage.Record) bool {
						if r.Seq <= before || string(r.Payload) != payload(r.Seq) {
							f.Errorf("record %d comes after %d: %s", r.Seq, before, brief(r.Payload))
							return false
						}
						before = r.Seq
						return true
					}); err != nil {
						f.Error(err)
						return
					}
				}
			})
		}
		for seq := uint64(1); seq <= records; seq++ {
			changes := []Change{to(s, seq, payload(seq))}
			if seq > 100 {
				changes = append(changes, settle(s, seq-100))
			}
			f.do(changes...)
		}
		done.Store(true)
		wg.Wait()
		f.sameAgain()
	}},
}
