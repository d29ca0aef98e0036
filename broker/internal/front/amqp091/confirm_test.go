package amqp091

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front/pump"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// fullStore is a model that has no room for another batch while a commit is under way.
type fullStore struct {
	*storetest.Model
	step sync.Mutex // held during a commit
}

func (s *fullStore) Commit() error {
	s.step.Lock()
	defer s.step.Unlock()
	return s.Model.Commit()
}

func (s *fullStore) NewBatch() storage.Batch { return &fullBatch{s.Model.NewBatch(), s} }

type fullBatch struct {
	storage.Batch
	store *fullStore
}

func (b *fullBatch) Commit(urgent bool) storage.Ticket {
	b.store.step.Lock()
	defer b.store.step.Unlock()
	return b.Batch.Commit(urgent)
}

// Who confirms for the disk flushes the output, which may find that consumers can be served again, which gives the disk more
// to do. It must not wait for itself.
func TestServingConsumersAfterAConfirmDoesNotWaitForTheCommitThatConfirms(t *testing.T) {
	users := access.New()
	ok(t, users.PutDefault("/"))
	store := &fullStore{Model: storetest.NewModel()}
	b, err := engine.Open(engine.Config{Users: users, Store: func(e storage.Events) (storage.Store, error) {
		store.Events = e
		return store, nil
	}})
	ok(t, err)
	defer b.Close()
	g := &glass{Front: New(b)}
	server := pump.New(pump.Config{Front: g, OutputLimit: 8 << 10})
	defer server.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	go server.Serve(t.Context(), l)
	conn, err := net.Dial("tcp", l.Addr().String())
	ok(t, err)
	defer conn.Close()

	var said bytes.Buffer
	until := func(id wire.MethodID) {
		t.Helper()
		ok(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
		for {
			for said.Len() > 0 {
				f, n, err := wire.ScanFrame(said.Bytes(), frameMax)
				ok(t, err)
				if n == 0 {
					break
				}
				got, _, _ := wire.SplitMethod(f.Payload)
				method := f.Type == wire.FrameMethod
				said.Next(n)
				if method && got == id {
					return
				}
			}
			if _, err := io.CopyN(&said, conn, 1); err != nil {
				t.Fatalf("waiting for %v: %v", id, err)
			}
		}
	}
	say := func(methods ...wire.Method) {
		t.Helper()
		var out []byte
		for _, m := range methods {
			out = m.AppendFrame(out, 1)
		}
		_, err := conn.Write(out)
		ok(t, err)
	}
	_, err = conn.Write(handshake("guest", "guest"))
	ok(t, err)
	program, err := b.Open("/", nil, engine.ClientInfo{})
	ok(t, err)
	_, err = program.DeclareQueue(engine.QueueSpec{Name: "q", Durable: true})
	ok(t, err)
	store.Manual = true // nobody else uses it for now
	say(new(wire.ChannelOpen), new(wire.ConfirmSelect))
	until(wire.MethodConfirmSelectOk)
	publish := wire.BasicPublish{RoutingKey: []byte("q")}
	persistent := message.Properties{Persistent: true}
	content := wire.AppendContentHeader(publish.AppendFrame(nil, 1), 1, persistent.Append(nil), 0)
	_, err = conn.Write(content)
	ok(t, err)
	say(&wire.BasicConsume{Queue: "q", NoAck: true})
	until(wire.MethodBasicDeliver) // so it has published, and waits for the disk

	batch := b.NewBatch() // which fills the output and is not ended, so that nobody flushes it
	for range 20 {
		_, err := program.Publish(batch, &message.Message{Key: []byte("q"), Body: make([]byte, 1<<10), Flags: message.Persistent})
		ok(t, err)
	}
	if !g.session.out.Full() {
		t.Fatal("the output is not full")
	}
	done := make(chan error, 1)
	go func() { done <- store.Commit() }()
	select {
	case err := <-done:
		ok(t, err)
	case <-time.After(30 * time.Second):
		t.Fatal("the commit waits for itself")
	}
	until(wire.MethodBasicAck)
	batch.End()
}

// persist sends a persistent message to a queue.
func (p *peer) persist(key string) []string {
	m := wire.BasicPublish{RoutingKey: []byte(key)}
	persistent := message.Properties{Persistent: true}
	return p.sayRaw(wire.AppendContentHeader(m.AppendFrame(nil, 1), 1, persistent.Append(nil), 0))
}

// The broker tells a session of every commit for as long as the session says so. When the reader has seen a commit before the
// broker told of it, the session still stands there.
func TestASessionThatSawACommitItselfStillStandsAmongThoseWhoAreTold(t *testing.T) {
	disk := storetest.NewModel()
	lookOn(t, disk, func(h *house, p *peer, s *session) {
		disk.Manual = false
		p.say(1, &wire.QueueDeclare{Queue: "kept", Durable: true}, new(wire.ConfirmSelect))
		tell := disk.Events.Committed
		disk.Events.Committed = nil // the broker is late
		for tag := range uint64(3) {
			lines := p.persist("kept")
			if len(lines) != 1 || !strings.HasPrefix(lines[0], fmt.Sprintf("1 basic.ack delivery-tag=%d", tag+1)) {
				t.Fatalf("the answer is %q", lines)
			}
			if !s.confirms.awaiting {
				t.Fatal("the session would be put in the list once more")
			}
		}
		tell(disk.Durable())
		if s.confirms.awaiting {
			t.Error("the session believes that it is in the list")
		}
	})
}

// While the disk stands still a publisher of what need not survive is not held, and its confirms wait behind another's.
func TestWhatWaitsForOneCommitIsOwedOnceHoweverManyBatchesItWas(t *testing.T) {
	disk := storetest.NewModel()
	lookOn(t, disk, func(h *house, p *peer, s *session) {
		disk.Manual = false
		p.say(1, &wire.QueueDeclare{Queue: "kept", Durable: true}, new(wire.ConfirmSelect))
		disk.Manual = true
		p.persist("kept")
		for range 100 {
			if lines := p.publish(1); len(lines) != 0 {
				t.Fatalf("the confirm overtakes another: %q", lines)
			}
		}
		if n := len(s.confirms.owed); n != 1 {
			t.Errorf("%d are owed", n)
		}
		h.happens("commit")
		synctest.Wait()
		if lines := p.said(); len(lines) != 1 || lines[0] != "1 basic.ack delivery-tag=101 multiple" {
			t.Errorf("the answer is %q", lines)
		}
	})
}
