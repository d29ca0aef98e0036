package storetest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage"
)

func (f *fixture) keys(prefix string) string {
	var keys []string
	for key, value := range f.store.Values(prefix) {
		keys = append(keys, key+"="+string(value))
	}
	return strings.Join(keys, " ")
}

func (f *fixture) shows(prefix, want string) {
	f.Helper()
	if got := f.keys(prefix); got != want {
		f.Fatalf("values of %q: %s, want %s", prefix, got, want)
	}
}

var valueLaws = []law{
	{"ValuesAreReadByPrefixInOrder", func(f *fixture) {
		f.do(put("b/2", "x"), put("a/1", "1"), put("b/10", "y"), put("b", "z"), put("c", ""), put("b/1", "w"))
		for range 2 {
			f.shows("b/", "b/1=w b/10=y b/2=x")
			f.shows("b", "b=z b/1=w b/10=y b/2=x")
			f.shows("c", "c=")
			f.shows("d", "")
			f.shows("", "a/1=1 b=z b/1=w b/10=y b/2=x c=")
			f.same()
			f.reopen()
		}
		f.do(del("b"), put("b/1", "new"), del("never there"))
		f.sameAgain()
	}},
	{"KeysAndValuesAreAnyBytes", func(f *fixture) {
		f.do(put("\x00\xff\x00", "\xff\x00"), put("\xff\xff", strings.Repeat("big", 1<<18)), put("\xff", "x"), put("", "of the empty key"))
		f.sameAgain()
	}},
	{"ValuesSeesTheStateOfItsCall", func(f *fixture) {
		f.do(put("a", "1"), put("b", "1"), put("c", "1"))
		values := f.store.Values("")
		f.do(put("b", "2"), del("c"), put("d", "2"))
		var got string
		for key, value := range values {
			got += key + string(value) + " "
			f.do(put("a", "3"), put("aa", "3"))
		}
		if got != "a1 b1 c1 " {
			f.Fatal(got)
		}
	}},
	{"ValuesEndsWhenItsReaderDoes", func(f *fixture) {
		f.do(put("a", "1"), put("b", "1"))
		for range f.store.Values("") {
			break
		}
		f.same()
	}},
	{"AValueThatWasReturnedStaysAsItWas", func(f *fixture) {
		f.do(put("k", "first"))
		v, _ := f.store.Value("k")
		f.do(put("k", "other"))
		f.do(del("k"))
		if string(v) != "first" {
			f.Fatalf("%q", v)
		}
		if _, ok := f.store.Value("k"); ok {
			f.Fatal("a deleted value is there")
		}
	}},
	{"AValueIsCopiedWhenItIsPut", func(f *fixture) {
		b, value := f.store.NewBatch(), []byte("first")
		b.Put("k", value)
		copy(value, "other")
		f.ok(f.store.Wait(b.Commit(true)))
		copy(value, "third")
		f.want.Apply([]Change{put("k", "first")})
		f.sameAgain()
	}},
	{"AThousandValuesAndTheirDeletionsSurvive", func(f *fixture) {
		for i := range 1000 {
			f.do(put(fmt.Sprintf("key %d", i), fmt.Sprint(i)))
			if i%2 == 0 {
				f.do(del(fmt.Sprintf("key %d", i/2)))
			}
		}
		f.sameAgain()
	}},
}

var storeLaws = []law{
	{"CloseMakesDurableWhatWasHandedOver", func(f *fixture) {
		s := f.stream()
		b := f.store.NewBatch()
		changes := append(run(s, 1, 50, "x"), put("k", "v"))
		Fill(b, changes, f.on)
		t := b.Commit(false)
		f.want.Apply(changes)
		f.ok(f.store.Close())
		f.ok(f.store.Wait(t))
		f.open(storage.Events{})
		f.same()
	}},
	{"NothingBecomesDurableAfterClose", func(f *fixture) {
		s := f.stream()
		f.do(to(s, 1, "x"))
		b := f.store.NewBatch()
		Fill(b, []Change{to(s, 2, "late"), put("k", "late")}, f.on)
		f.ok(f.store.Close())
		t := b.Commit(true)
		if d := f.store.Durable(); t <= d {
			f.Fatalf("ticket %d of what came after Close, when %d is durable", t, d)
		}
		if err := f.store.Wait(t); !errors.Is(err, storage.ErrClosed) {
			f.Fatal(err)
		}
		f.open(storage.Events{})
		f.same()
	}},
	{"CloseWakesThoseWhoWaitForWhatNeverComes", func(f *fixture) {
		t := f.do(put("k", "v"))
		waited := make(chan error)
		go func() { waited <- f.store.Wait(t + 1000) }()
		f.ok(f.store.Close())
		if err := <-waited; !errors.Is(err, storage.ErrClosed) {
			f.Fatal(err)
		}
	}},
	{"AClosedStoreReadsNothing", func(f *fixture) {
		s := f.stream()
		f.do(to(s, 1, "x"))
		stream := f.on(s)
		f.ok(f.store.Close())
		if err := stream.Read(0, func(*storage.Record) bool { return true }); !errors.Is(err, storage.ErrClosed) {
			f.Fatal(err)
		}
	}},
	{"TicketsGoOnAfterReopening", func(f *fixture) {
		for i := range 5 {
			t := f.do(put("k", fmt.Sprint(i)))
			f.ok(f.store.Wait(t))
			f.reopen()
			if d := f.store.Durable(); f.do(put("k", "x")) <= d {
				f.Fatalf("a new ticket is not above %d, which was durable when the store was opened", d)
			}
		}
	}},
	{"StatsCountWhatIsThere", func(f *fixture) {
		a, b := f.stream(), f.stream()
		f.do(run(a, 1, 10, "0123456789")...)
		f.do(run(b, 1, 5, "01234")...)
		if s := f.store.Stats(); s.Streams != 2 || s.Records != 15 || s.Bytes != 125 {
			f.Fatalf("%+v", s)
		}
		f.ok(f.store.Wait(f.do(drop(a))))
		if s := f.store.Stats(); s.Streams != 1 || s.Records != 5 || s.Bytes != 25 || s.Commits == 0 {
			f.Fatalf("%+v", s)
		}
	}},
	{"AStoreThatIsOpenedOftenKeepsEverything", func(f *fixture) {
		s := f.stream()
		for i := range uint64(25) {
			f.do(to(s, i*2+1, fmt.Sprint("record ", i)), to(s, i*2+2, "short-lived"), put(fmt.Sprint("k", i), "v"))
			f.do(settle(s, i*2+2))
			f.sameAgain()
		}
	}},
}
