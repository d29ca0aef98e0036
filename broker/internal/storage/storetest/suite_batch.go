package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/warrenmq/warren/broker/internal/storage"
)

var batchLaws = []law{
	{"ABatchTakesEffectWhenCommitReturns", func(f *fixture) {
		a, b := f.stream(), f.stream()
		f.do(to(a, 1, "one"), to(b, 1, "two"), put("k", "v"))
		f.same()
		f.do(to(a, 2, "three"), settle(b, 1), del("k"))
		f.sameAgain()
	}},
	{"NothingTakesEffectBeforeCommit", func(f *fixture) {
		s := f.stream()
		f.do(to(s, 1, "one"))
		b := f.store.NewBatch()
		Fill(b, []Change{to(s, 2, "two"), settle(s, 1), put("k", "v")}, f.on)
		f.same()
	}},
	{"ChangesOfABatchTakeEffectInTheirOrder", func(f *fixture) {
		s := f.stream()
		f.do(put("k", "1"), del("k"), put("k", "2"), put("gone", "1"), del("gone"),
			to(s, 1, "one"), settle(s, 1), to(s, 2, "two"), returned(s, 2, 3), returned(s, 2, 5))
		f.sameAgain()
	}},
	{"TicketsAscend", func(f *fixture) {
		s := f.stream()
		for i := range uint64(50) {
			f.do(to(s, i+1, "x")) // compares with the ticket before
		}
		last := f.last
		f.ok(f.store.Wait(last))
		if f.do(to(s, 100, "x")) <= last {
			f.Fatal("a batch has a ticket that was durable when it was committed")
		}
	}},
	{"AnEmptyBatchHasTicketZeroWhichIsDurable", func(f *fixture) {
		b := f.store.NewBatch()
		if !b.Empty() {
			f.Fatal("a new batch is not empty")
		}
		if t := b.Commit(true); t != 0 {
			f.Fatalf("ticket %d", t)
		}
		f.ok(f.store.Wait(0))
		f.same()
	}},
	{"CommitEmptiesTheBatchForTheNext", func(f *fixture) {
		s := f.stream()
		b := f.store.NewBatch()
		for seq := uint64(1); seq <= 20; seq++ {
			if !b.Empty() {
				f.Fatal("the batch is not empty")
			}
			c := []Change{to(s, seq, fmt.Sprint("payload ", seq)), put("last", fmt.Sprint(seq))}
			Fill(b, c, f.on)
			if b.Empty() || b.Size() < len("payload 1last1") {
				f.Fatalf("Empty is %t, Size %d", b.Empty(), b.Size())
			}
			b.Commit(false)
			f.want.Apply(c)
		}
		f.sameAgain()
	}},
	{"ABatchOfAnyOneChangeIsNotEmpty", func(f *fixture) {
		s := f.stream()
		for _, c := range []Change{to(s, 1, ""), delivered(s, 1), returned(s, 1, 2), put("k", ""), del("k"), settle(s, 1),
			truncate(s, 1, 2), drop(s)} {
			b := f.store.NewBatch()
			Fill(b, []Change{c}, f.on)
			if b.Empty() {
				f.Fatalf("%+v left the batch empty", c)
			}
			if b.Commit(true) == 0 {
				f.Fatalf("%+v has no ticket", c)
			}
		}
	}},
	{"WaitReturnsOnceTheTicketIsDurable", func(f *fixture) {
		s := f.stream()
		for i := range uint64(5) {
			t := f.do(to(s, i+1, "x"))
			f.ok(f.store.Wait(t))
			if d := f.store.Durable(); d < t {
				f.Fatalf("Wait(%d) returned when %d was durable", t, d)
			}
		}
	}},
	{"WhatIsNotUrgentBecomesDurableByItself", func(f *fixture) {
		b := f.store.NewBatch()
		b.Put("k", []byte("v"))
		f.ok(f.store.Wait(b.Commit(false)))
	}},
	{"CommittedTellsWhatIsDurableInOrder", func(f *fixture) {
		f.ok(f.store.Close())
		var mu sync.Mutex
		var told []storage.Ticket
		f.open(storage.Events{Committed: func(t storage.Ticket) {
			if d := f.store.Durable(); d < t {
				f.Errorf("%d was told when %d was durable", t, d)
			}
			mu.Lock()
			told = append(told, t)
			mu.Unlock()
		}})
		s := f.stream()
		for i := range uint64(20) {
			t := f.do(to(s, i+1, "x"))
			if i%5 == 0 {
				f.ok(f.store.Wait(t))
			}
		}
		f.ok(f.store.Close())
		mu.Lock()
		defer mu.Unlock()
		for i := 1; i < len(told); i++ {
			if told[i] <= told[i-1] {
				f.Fatalf("told %d", told)
			}
		}
		if len(told) == 0 || told[len(told)-1] < f.last {
			f.Fatalf("told %d, the last ticket is %d", told, f.last)
		}
	}},
	{"BatchesThatWereBegunTogetherCommitInAnyOrder", func(f *fixture) {
		s := f.stream()
		rnd := rand.New(rand.NewPCG(1, 2))
		for round := range uint64(30) {
			base := round * 8
			for _, i := range rnd.Perm(8) {
				f.do(to(s, base+uint64(i)+1, fmt.Sprint("record ", base+uint64(i))))
			}
		}
		f.sameAgain()
	}},
	{"FanOutReachesEveryStreamUnderItsOwnNumber", func(f *fixture) {
		var changes []Change
		payload := []byte("for all of you")
		for i := range uint64(300) {
			changes = append(changes, Change{Op: To, Stream: f.stream(), Seq: 1 + i*i, Payload: payload, Deadline: int64(i), Transient: i%10 == 9})
		}
		f.do(changes...)
		f.sameAgain()
		for i := range changes {
			if i%3 != 0 {
				f.do(settle(changes[i].Stream, changes[i].Seq))
			}
		}
		f.sameAgain()
	}},
	{"OneMessageMayStandInAStreamTwice", func(f *fixture) {
		s := f.stream()
		payload := []byte("twice")
		f.do(Change{Op: To, Stream: s, Seq: 1, Payload: payload}, Change{Op: To, Stream: s, Seq: 2, Payload: payload})
		f.do(settle(s, 1))
		f.sameAgain()
	}},
	{"PayloadsOfAnySizeAreReadBackByteForByte", func(f *fixture) {
		rnd := rand.NewChaCha8([32]byte{7})
		s, other := f.stream(), f.stream()
		for i, n := range []int{0, 1, 7, 8, 100, 4095, 4096, 32 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 0, 9 << 20, 5} {
			payload := make([]byte, n)
			rnd.Read(payload)
			f.do(Change{Op: To, Stream: s, Seq: uint64(i + 1), Payload: payload}, Change{Op: To, Stream: other, Seq: uint64(i + 1), Payload: payload})
		}
		f.same()
		f.do(settle(s, 14), settle(other, 13))
		f.sameAgain()
		f.do(truncate(s, 2, 12))
		f.sameAgain()
	}},
	{"ABatchThatIsUsedAgainLeavesWhatItCommittedAlone", func(f *fixture) {
		s := f.stream()
		b := f.store.NewBatch()
		for seq := range uint64(40) {
			payload := bytes.Repeat([]byte{byte(seq)}, 1<<(seq%18))
			copy(b.Message(len(payload)), payload)
			b.To(f.on(s), seq+1, 0, false)
			b.Commit(false)
			f.want.Apply([]Change{{Op: To, Stream: s, Seq: seq + 1, Payload: payload}})
		}
		f.sameAgain()
	}},
}
