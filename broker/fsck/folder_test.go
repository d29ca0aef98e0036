package fsck

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

func openFolder(t *testing.T, fs vfs.FS) *Folder {
	t.Helper()
	f, err := Open(t.Context(), testDir, &Options{fs: fs})
	must(t, err)
	t.Cleanup(f.Close)
	return f
}

func TestExportIsADefinitionsFileOfWhatTheStoreHas(t *testing.T) {
	m := vfs.NewMemory()
	must(t, small(t, m, testDir, nil).Close())
	var out bytes.Buffer
	must(t, openFolder(t, m).Export(&out))
	d, err := definitions.Decode(&out)
	must(t, err)
	names := []string{}
	for _, q := range d.Queues {
		names = append(names, q.VHost+q.Name)
	}
	if !slices.Equal(names, []string{"/big", "/jobs", "/news"}) || len(d.VHosts) != 1 || len(d.Bindings) != 3 || d.ProductName != "Warren" || d.ProductVersion == "" {
		t.Errorf("%+v", d)
	}
}

func TestMessagesAreShownAsTheyWerePublished(t *testing.T) {
	m := vfs.NewMemory()
	b := newBuilder(t, m, testDir, 8<<10)
	b.put(definitions.VHost{Name: "/"})
	q := b.queue("q")
	p := message.Properties{
		ContentType: "text/plain", Persistent: true, Priority: 3, CorrelationID: "c", ReplyTo: "r", MessageID: "m",
		Timestamp: time.Unix(1700000000, 0), Headers: []exchange.Arg{{Name: "n", Value: exchange.Value{Kind: exchange.Int, Int: 7}}},
	}
	for i, body := range []string{"text", "\xff\x00"} {
		msg := message.Message{Origin: message.AMQP091, Flags: message.Persistent, Exchange: []byte("x"), Key: []byte("k"), Props: p.Append(nil), Body: []byte(body)}
		msg.Put(b.batch.Message(msg.Size()))
		b.batch.To(q, uint64(i+1), 1700000001000, false)
	}
	b.batch.Returned(q, 1, 2)
	b.commit()
	must(t, b.store.Close())

	f := openFolder(t, m)
	if _, err := f.Queue("/", "nothing"); !errors.As(err, new(*UnknownQueueError)) {
		t.Errorf("a queue that is not there: %v", err)
	}
	queue, err := f.Queue("/", "q")
	must(t, err)
	var lines []string
	must(t, f.Messages(t.Context(), queue, func(m *Message) error {
		line, err := json.Marshal(m)
		lines = append(lines, string(line))
		return err
	}))
	head := `{"vhost":"/","queue":"q","seq":`
	tail := `"expires":"2023-11-14T22:13:21Z","exchange":"x","routing_key":"k","content_type":"text/plain","persistent":true,"priority":3,` +
		`"correlation_id":"c","reply_to":"r","message_id":"m","timestamp":"2023-11-14T22:13:20Z","headers":{"n":7},`
	want := []string{head + `1,"deliveries":2,` + tail + `"body":"text"}`, head + `2,"deliveries":0,` + tail + `"body_base64":"/wA="}`}
	if !slices.Equal(lines, want) {
		t.Errorf("got  %s\nwant %s", lines, want)
	}
	stop := errors.New("stop")
	if err := f.Messages(t.Context(), queue, func(*Message) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("visit's error became %v", err)
	}
}

func TestADumpShowsEveryLiveRecordOnceAndOnlyThose(t *testing.T) {
	for _, killed := range []bool{false, true} {
		m := vfs.NewMemory()
		st := small(t, m, testDir, nil)
		if !killed {
			must(t, st.Close())
		}
		m = m.Clone()
		records, values := readAll(t, m, testDir)
		f := openFolder(t, m)
		live := map[[2]uint64]int{}
		puts := map[string]bool{}
		must(t, f.Dump(t.Context(), DumpOptions{Bodies: true}, func(r *Record) error {
			switch {
			case r.Live:
				live[[2]uint64{r.Stream, r.From}]++
				if r.Message == nil || r.Message.RoutingKey != "key" || r.Queue == "" || r.Bytes == 0 {
					t.Errorf("%+v", r)
				}
			case r.Op == "put":
				puts[r.Kind+"\x00"+strings.Join(r.Names, "\x00")] = true
			}
			return nil
		}))
		if len(live) != len(records) {
			t.Errorf("%d live records are shown, there are %d", len(live), len(records))
		}
		for key, n := range live {
			if n != 1 {
				t.Errorf("%v is shown %d times", key, n)
			}
		}
		for key := range values {
			if !strings.HasPrefix(key, definitions.BindingPrefix) && !puts[key] {
				t.Errorf("the definition %q is not shown: %v", key, puts)
			}
		}
		news, err := f.Queue("/", "news")
		must(t, err)
		n := 0
		must(t, f.Dump(t.Context(), DumpOptions{Queue: news}, func(r *Record) error {
			if r.Stream != news.Stream && !slices.Contains(r.Names, "news") {
				t.Errorf("of another queue: %+v", r)
			}
			if r.Live {
				n++
			}
			return nil
		}))
		if n != news.Messages {
			t.Errorf("%d messages of the queue are shown, it has %d", n, news.Messages)
		}
	}
}

func TestReportsSayHowMuchOfEachFileIsWanted(t *testing.T) {
	m := vfs.NewMemory()
	must(t, small(t, m, testDir, nil).Close())
	r := openFolder(t, m).Report()
	n := 0
	for _, f := range r.Files {
		n += f.Messages
		if f.Messages > 0 && (f.MessageBytes == 0 || f.Kind != KindSegment && f.Kind != KindJournal) {
			t.Errorf("%+v", f)
		}
	}
	if n != r.Messages() || n == 0 {
		t.Errorf("the files have %d messages, the queues %d", n, r.Messages())
	}
}

func TestADamagedFolderIsNotShown(t *testing.T) {
	m := vfs.NewMemory()
	must(t, small(t, m, testDir, nil).Close())
	must(t, m.Flip(filepath.Join(testDir, "checkpoint"), 100))
	_, err := Open(t.Context(), testDir, &Options{fs: m})
	damaged, ok := errors.AsType[*DamagedError](err)
	if !ok || damaged.First.File != "checkpoint" || !strings.Contains(err.Error(), "warren fsck") {
		t.Error(err)
	}
	if open := m.OpenFiles(); len(open) > 0 {
		t.Errorf("still open: %v", open)
	}
}

func TestProgressNeverGoesBackAndEndsAtItsTotal(t *testing.T) {
	m := vfs.NewMemory()
	must(t, small(t, m, testDir, nil).Close())
	var last Progress
	_, err := Check(t.Context(), testDir, &Options{fs: m, Progress: func(p Progress) {
		if p.Done < last.Done || p.Done > p.Total || p.File == "" {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}})
	must(t, err)
	if last.Total == 0 {
		t.Error("nobody was told")
	}
}

// A message that is none is an error, and no panic.
func FuzzMessageOf(f *testing.F) {
	f.Add(record([]byte("body")), int64(5))
	f.Add(record(nil), int64(math.MaxInt64))
	f.Add(record(nil), int64(math.MinInt64))
	late := message.Properties{Timestamp: time.Unix(1<<40, 0)}
	m := message.Message{Origin: message.AMQP091, Props: late.Append(nil)}
	rec := make([]byte, m.Size())
	m.Put(rec)
	f.Add(rec, int64(0))
	f.Fuzz(func(t *testing.T, payload []byte, deadline int64) {
		m, err := messageOf(&Queue{Name: "q"}, &storage.Record{Seq: 1, Deadline: deadline, Payload: payload})
		if err != nil {
			return
		}
		if _, err := json.Marshal(m); err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
	})
}
