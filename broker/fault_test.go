package broker_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// faulty is a disk that does as it is told.
type faulty struct {
	vfs.FS
	answer chan struct{} // Sync waits for it

	mu   sync.Mutex
	kind vfs.Kind      // owner: mu; of the operations that fail: OpSync, OpWriteAt or none
	err  error         // owner: mu; with which they do; nil: they wait for answer
	met  chan struct{} // owner: mu; closed by the first of them
}

func newFaulty() *faulty { return &faulty{FS: vfs.OS(), answer: make(chan struct{})} }

// begin makes operations fail from now on, and returns a channel that is closed when one has.
func (f *faulty) begin(kind vfs.Kind, err error) (met chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kind, f.err, f.met = kind, err, make(chan struct{})
	return f.met
}

func (f *faulty) end() { f.begin(0, nil) }

func (f *faulty) before(kind vfs.Kind) error {
	f.mu.Lock()
	fails, err := f.kind == kind, f.err
	if fails {
		select {
		case <-f.met:
		default:
			close(f.met)
		}
	}
	f.mu.Unlock()
	if fails && err == nil {
		<-f.answer
	}
	if fails {
		return err
	}
	return nil
}

func (f *faulty) open(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f}, nil
}

func (f *faulty) Create(name string) (vfs.File, error) { return f.open(f.FS.Create(name)) }

func (f *faulty) OpenReadWrite(name string) (vfs.File, error) {
	return f.open(f.FS.OpenReadWrite(name))
}

type faultyFile struct {
	vfs.File
	disk *faulty
}

func (f *faultyFile) Sync() error {
	if err := f.disk.before(vfs.OpSync); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.before(vfs.OpWriteAt); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

var errIO = errors.New("input/output error")

// onFaulty returns a broker that has the durable queue q, on a disk that works so far.
func onFaulty(t *testing.T) (*broker.Broker, broker.Config, *faulty) {
	disk := newFaulty()
	c := broker.Config{Dir: t.TempDir(), DrainTimeout: time.Second}.On(disk, 200*time.Millisecond)
	b := openDir(t, c)
	_, err := b.VHost("/").DeclareQueue(t.Context(), broker.Queue{Name: "q", Durable: true})
	must(t, err)
	return b, c, disk
}

// waiting are clients that wait for the disk in all manners, and what they are told.
func waiting(t *testing.T, b *broker.Broker) (told func() map[string]error) {
	conn, err := dial(t, b, "guest:guest")
	must(t, err)
	results := make(map[string]chan error)
	ask := func(what string, do func() error) {
		result := make(chan error, 1)
		results[what] = result
		go func() { result <- do() }()
	}
	v := b.VHost("/")
	ask("Publish", func() error {
		return v.Publish(context.Background(), broker.Message{Key: "q", Body: []byte("x"), Persistent: true})
	})
	ask("DeclareQueue", func() error {
		_, err := v.DeclareQueue(context.Background(), broker.Queue{Name: "other", Durable: true})
		return err
	})
	ask("queue.declare", func() error {
		ch, err := conn.Channel()
		if err == nil {
			_, err = ch.QueueDeclare("third", true, false, false, false, nil)
		}
		return err
	})
	ask("a confirm", func() error {
		ch, err := conn.Channel()
		if err == nil {
			err = ch.Confirm(false)
		}
		if err != nil {
			return err
		}
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		c, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{DeliveryMode: amqp.Persistent})
		if err != nil {
			return err
		}
		select {
		case <-c.Done():
			if c.Acked() {
				return nil
			}
			return errors.New("not confirmed")
		case e := <-closed:
			if e == nil {
				return errors.New("closed")
			}
			return e
		}
	})
	return func() map[string]error {
		all := make(map[string]error)
		for what, result := range results {
			select {
			case all[what] = <-result:
			case <-time.After(time.Minute):
				t.Errorf("%s waits for ever", what)
			}
		}
		return all
	}
}

func TestABrokerEndsThoughItsDiskDoesNotAnswer(t *testing.T) {
	b, c, disk := onFaulty(t)
	met := disk.begin(vfs.OpSync, nil)
	told := waiting(t, b)
	<-met
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := b.Shutdown(ctx)
	if err == nil || !strings.Contains(err.Error(), "the disk does not answer") {
		t.Errorf("Shutdown: %v", err)
	}
	for what, err := range told() {
		if err == nil {
			t.Errorf("%s: was told that all is well", what)
		}
	}
	if _, err := broker.Open(c); err == nil {
		t.Error("somebody else may use the folder while it is not known what becomes of it")
	}
	disk.end()
	close(disk.answer)
	for { // until what was left behind has ended, and the folder is free
		again, err := broker.Open(c)
		if err == nil {
			must(t, again.Close())
			return
		}
		if _, used := errors.AsType[*broker.DirInUseError](err); !used {
			t.Fatal(err)
		}
	}
}

func TestABrokerEndsThoughItsDiskIsFull(t *testing.T) {
	b, c, disk := onFaulty(t)
	met := disk.begin(vfs.OpWriteAt, vfs.ErrNoSpace)
	told := waiting(t, b)
	<-met
	if err := b.Close(); err == nil || !strings.Contains(err.Error(), "not durable") {
		t.Errorf("Close: %v", err)
	}
	for what, err := range told() {
		if err == nil {
			t.Errorf("%s: was told that all is well", what)
		}
	}
	disk.end()
	must(t, openDir(t, c).Close())
}

func TestClientsAreToldThatTheDiskHasFailedAndRunReturnsIt(t *testing.T) {
	b, _, disk := onFaulty(t)
	ended := running(t.Context(), t, b)
	idle, err := dial(t, b, "guest:guest")
	must(t, err)
	closed := idle.NotifyClose(make(chan *amqp.Error, 1))
	disk.begin(vfs.OpSync, errIO)
	for what, err := range waiting(t, b)() {
		if err == nil {
			t.Errorf("%s: was told that all is well", what)
		}
	}
	if e := <-closed; e == nil || e.Code != amqp.ConnectionForced || !strings.Contains(e.Reason, "the disk has failed") {
		t.Errorf("who waited for nothing was told %v", e)
	}
	err = <-ended
	if err == nil || !strings.HasPrefix(err.Error(), "broker: the disk has failed: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("Run: %v", err)
	}
}

func TestADiskThatFailsAtTheStartIsAnErrorOfOpen(t *testing.T) {
	dir := t.TempDir()
	for range 20 { // the failure ends the broker, which may or may not be there by then
		disk := newFaulty()
		disk.begin(vfs.OpSync, errIO)
		_, err := broker.Open(broker.Config{Dir: dir}.On(disk, 0))
		if err == nil || !strings.Contains(err.Error(), errIO.Error()) {
			t.Fatalf("Open: %v", err)
		}
	}
}

func TestPublishEndsWithItsContextWhileItWaitsForTheDisk(t *testing.T) {
	b, _, disk := onFaulty(t)
	met := disk.begin(vfs.OpSync, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-met
		cancel()
	}()
	m := broker.Message{Key: "q", Body: []byte("x"), Persistent: true}
	if err := b.VHost("/").Publish(ctx, m); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish: %v", err)
	}
	disk.end()
	close(disk.answer)
	if all := fetch(t, b, "q"); len(all) != 1 {
		t.Errorf("the queue has %q", all)
	}
	must(t, b.Close())
}
