package broker_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warrenmq/warren/broker"
)

func openDir(t *testing.T, c broker.Config) *broker.Broker {
	t.Helper()
	b, err := broker.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fetch returns the bodies of what waits in a queue, and acknowledges it.
func fetch(t *testing.T, b *broker.Broker, queue string) (all []string) {
	t.Helper()
	for {
		d, ok, err := b.VHost("/").Get(t.Context(), queue)
		must(t, err)
		if !ok {
			return all
		}
		all = append(all, string(d.Body))
		d.Ack()
	}
}

func TestAFolderKeepsWhatIsDurable(t *testing.T) {
	c := broker.Config{Dir: filepath.Join(t.TempDir(), "made", "by", "the", "broker"), VHosts: []string{"/", "second"}}
	b := openDir(t, c)
	v := b.VHost("/")
	_, err := v.DeclareQueue(t.Context(), broker.Queue{Name: "kept", Durable: true, Args: broker.Table{"x-message-ttl": int64(3_600_000)}})
	must(t, err)
	_, err = v.DeclareQueue(t.Context(), broker.Queue{Name: "gone"})
	must(t, err)
	must(t, v.DeclareExchange(t.Context(), broker.Exchange{Name: "news", Type: "fanout", Durable: true}))
	for _, q := range []string{"kept", "gone"} {
		must(t, v.Bind(t.Context(), broker.Binding{Exchange: "news", Queue: q}))
	}
	for i := range 100 {
		must(t, v.Publish(t.Context(), broker.Message{
			Exchange: "news", Body: fmt.Appendf(nil, "message %d", i), Persistent: i%2 == 0, Headers: broker.Table{"n": int64(i)},
		}))
	}
	must(t, b.Close())

	c.VHosts = nil // the folder has them
	b = openDir(t, c)
	b.VHost("second") // would panic
	if _, err := b.VHost("/").QueueInfo(t.Context(), "gone"); err == nil {
		t.Error("a queue is there that was not durable")
	}
	must(t, b.VHost("/").Publish(t.Context(), broker.Message{Exchange: "news", Body: []byte("after"), Persistent: true}))
	all := fetch(t, b, "kept")
	if len(all) != 51 || all[0] != "message 0" || all[49] != "message 98" || all[50] != "after" {
		t.Errorf("the queue holds %d messages: %q", len(all), all)
	}
	must(t, b.Close())
	if all := fetch(t, openDir(t, c), "kept"); all != nil {
		t.Errorf("%q came back", all)
	}
}

func TestAFolderIsOneBrokersAtATime(t *testing.T) {
	c := broker.Config{Dir: t.TempDir()}
	b := openDir(t, c)
	_, err := broker.Open(c)
	var used *broker.DirInUseError
	if !errors.As(err, &used) || used.Dir != c.Dir || used.PID != os.Getpid() {
		t.Fatalf("a second broker on the folder: %v", err)
	}
	if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "choose another folder") {
		t.Errorf("the error is %q", err)
	}
	must(t, b.Close())
	must(t, openDir(t, c).Close())
}

func TestTwoBrokersInOneProcessKnowNothingOfEachOther(t *testing.T) {
	one, two := openDir(t, broker.Config{Dir: t.TempDir()}), openDir(t, broker.Config{Dir: t.TempDir()})
	for _, b := range []*broker.Broker{one, two} {
		_, err := b.VHost("/").DeclareQueue(t.Context(), broker.Queue{Name: "q", Durable: true})
		must(t, err)
	}
	must(t, one.VHost("/").Publish(t.Context(), broker.Message{Key: "q", Body: []byte("for one"), Persistent: true}))
	if all := fetch(t, two, "q"); all != nil {
		t.Errorf("the other broker has %q", all)
	}
	if all := fetch(t, one, "q"); len(all) != 1 {
		t.Errorf("the broker has %q", all)
	}
}

func TestALongQueueIsReadBackInItsOrder(t *testing.T) {
	c := broker.Config{Dir: t.TempDir(), Store: broker.StoreOptions{Sync: broker.SyncNever, JournalFile: 1 << 20}}
	b := openDir(t, c)
	v := b.VHost("/")
	_, err := v.DeclareQueue(t.Context(), broker.Queue{Name: "long", Durable: true})
	must(t, err)
	const n = 20_000
	body := make([]byte, 500)
	for i := range n {
		copy(body, fmt.Sprintf("%08d", i))
		must(t, v.Publish(t.Context(), broker.Message{Key: "long", Body: body, Persistent: true}))
	}
	must(t, b.Close())
	start := time.Now()
	b = openDir(t, c)
	t.Logf("open after %v", time.Since(start))
	next := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for d, err := range b.VHost("/").Consume(ctx, "long", nil) {
		if err != nil {
			break
		}
		if want := fmt.Sprintf("%08d", next); string(d.Body[:8]) != want {
			t.Fatalf("message %d is %q", next, d.Body[:8])
		}
		d.Ack()
		if next++; next == n {
			cancel()
		}
	}
	if next != n {
		t.Errorf("%d came back", next)
	}
}

func TestADamagedFolderIsNamedWithWhatToDo(t *testing.T) {
	c := broker.Config{Dir: t.TempDir()}
	b := openDir(t, c)
	_, err := b.VHost("/").DeclareQueue(t.Context(), broker.Queue{Name: "q", Durable: true})
	must(t, err)
	must(t, b.Close())
	name := filepath.Join(c.Dir, "checkpoint")
	content, err := os.ReadFile(name)
	must(t, err)
	content[len(content)/2] ^= 1
	must(t, os.WriteFile(name, content, 0o600))
	_, err = broker.Open(c)
	if err == nil || !strings.Contains(err.Error(), "checkpoint is damaged") || !strings.Contains(err.Error(), "warren fsck "+c.Dir) {
		t.Errorf("the error is %v", err)
	}
}
