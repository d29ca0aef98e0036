package amqp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/load"
)

// run is the state that the workers of one Run share.
type run struct {
	plan *plan
	base time.Time // zero of the run's time

	published atomic.Int64
	confirmed atomic.Int64
	nacked    atomic.Int64
	delivered atomic.Int64
	held      int64 // messages that the queues held at the start

	stopped atomic.Bool // publishers send nothing more
	ending  atomic.Bool // readers are made to return
}

// now is the run's time in nanoseconds; never 0, which a stamp means to say
// "none" with.
func (r *run) now() int64 { return int64(time.Since(r.base)) + 1 }

// room returns how many messages may be published without going beyond the
// backlog.
func (r *run) room() int {
	if r.plan.Backlog == 0 {
		return 1 << 30
	}
	copies := int64(r.plan.copies)
	outstanding := r.published.Load()*copies - r.delivered.Load()
	return int(max(0, (int64(r.plan.Backlog)-outstanding)/copies))
}

// Run carries out one run. It blocks until the run is over, which its bounds
// or ctx bring about, and owns its connections and queues for that time. On an
// error (a refused connection or declaration, a close from the server, a frame
// that breaks the protocol, ctx) what was measured is lost; what the broker
// just did not deliver is no error but Result.Lost.
func Run(ctx context.Context, o Options) (*Result, error) {
	p, err := newPlan(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	control, err := dial(ctx, p)
	if err != nil {
		return nil, err
	}
	defer control.close()
	r := &run{plan: p, base: time.Now()}
	if err := r.declare(control); err != nil {
		return nil, err
	}
	if !p.Keep {
		defer r.delete(control)
	}
	w, err := r.connect(ctx)
	defer w.close()
	if err != nil {
		return nil, err
	}
	release := context.AfterFunc(ctx, w.interrupt)
	defer release()
	return r.drive(ctx, cancel, w)
}

// declare sets up exchange, queues and bindings.
func (r *run) declare(c *conn) error {
	p := r.plan
	if p.exchange != "" {
		const passive, autoDelete, internal, noWait = false, false, false, false
		if _, err := c.call(exchangeDeclare, arguments{}.short(0).shortString(p.exchange).shortString(string(p.Route)).
			bits(passive, p.Persistent, autoDelete, internal, noWait).emptyTable(), exchangeDeclareOK); err != nil {
			return err
		}
	}
	for i := range p.Queues {
		const passive, exclusive, autoDelete, noWait = false, false, false, false
		name := p.queue(i)
		args, err := c.call(queueDeclare, arguments{}.short(0).shortString(name).
			bits(passive, p.Persistent, exclusive, autoDelete, noWait).emptyTable(), queueDeclareOK)
		if err != nil {
			return err
		}
		held, err := messageCount(args)
		if err != nil {
			return err
		}
		if p.Keep {
			r.held += held
		} else if held > 0 {
			if _, err := c.call(queuePurge, arguments{}.short(0).shortString(name).bits(false), queuePurgeOK); err != nil {
				return err
			}
		}
		if p.exchange == "" {
			continue
		}
		key := name
		if p.Route == RouteTopic {
			key = p.QueuePrefix + ".#"
		}
		if _, err := c.call(queueBind, arguments{}.short(0).shortString(name).shortString(p.exchange).
			shortString(key).bits(false).emptyTable(), queueBindOK); err != nil {
			return err
		}
	}
	return nil
}

// messageCount reads it out of queue.declare-ok: the name, then the counts of
// messages and consumers.
func messageCount(args []byte) (int64, error) {
	if len(args) < 1 || len(args) < 1+int(args[0])+8 {
		return 0, errors.New("amqp: queue.declare-ok is too short")
	}
	return int64(binary.BigEndian.Uint32(args[1+int(args[0]):])), nil
}

// delete removes what declare has made. By then the result stands, so errors
// are of no interest.
func (r *run) delete(c *conn) {
	c.nc.SetDeadline(time.Now().Add(setupTime))
	for i := range r.plan.Queues {
		if _, err := c.call(queueDelete, arguments{}.short(0).shortString(r.plan.queue(i)).bits(false, false, false), queueDeleteOK); err != nil {
			return
		}
	}
	if r.plan.exchange != "" {
		c.call(exchangeDelete, arguments{}.short(0).shortString(r.plan.exchange).bits(false, false), exchangeDeleteOK)
	}
}

// workers are the connections that carry the load.
type workers struct {
	publishers []*publisher
	consumers  []*consumer
}

// connect opens all workers' connections. On an error it returns those that
// were open by then.
func (r *run) connect(ctx context.Context) (workers, error) {
	var w workers
	for i := range r.plan.Publishers {
		c, err := dial(ctx, r.plan)
		if err != nil {
			return w, fmt.Errorf("publisher %d: %w", i, err)
		}
		w.publishers = append(w.publishers, newPublisher(r, c, i))
		if r.plan.Confirms > 0 {
			if _, err := c.call(confirmSelect, arguments{}.bits(false), confirmSelectOK); err != nil {
				return w, err
			}
		}
	}
	for i := range r.plan.Consumers {
		c, err := dial(ctx, r.plan)
		if err != nil {
			return w, fmt.Errorf("consumer %d: %w", i, err)
		}
		k := newConsumer(r, c)
		w.consumers = append(w.consumers, k)
		if err := k.subscribe(i); err != nil {
			return w, err
		}
	}
	return w, nil
}

// each calls f with every connection.
func (w workers) each(f func(*conn)) {
	for _, p := range w.publishers {
		f(p.c)
	}
	for _, k := range w.consumers {
		f(k.c)
	}
}

// interrupt makes every read and write return.
func (w workers) interrupt() { w.each(func(c *conn) { c.nc.SetDeadline(longAgo) }) }

// close closes the sockets. It waits for no answers: with thousands of
// connections that would take longer than the run.
func (w workers) close() { w.each(func(c *conn) { c.nc.Close() }) }

// snapshot is what the counters show at one moment.
type snapshot struct {
	at                              int64
	published, confirmed, delivered int64
	server, client                  load.Usage
}

func (r *run) snapshot() snapshot {
	s := snapshot{
		at:        r.now(),
		published: r.published.Load(),
		confirmed: r.confirmed.Load(),
		delivered: r.delivered.Load(),
	}
	if r.plan.ServerPID != 0 {
		s.server, _ = load.ProcessUsage(r.plan.ServerPID) // drive has made sure that it can be read
	}
	s.client, _ = load.ProcessUsage(os.Getpid()) // zero where there is no /proc
	return s
}

// drive runs the workers through the phases: warm-up, window, drain, end.
func (r *run) drive(ctx context.Context, cancel context.CancelCauseFunc, w workers) (*Result, error) {
	if pid := r.plan.ServerPID; pid != 0 {
		if _, err := load.ProcessUsage(pid); err != nil {
			return nil, err
		}
	}
	var publishing, reading sync.WaitGroup
	start := func(wg *sync.WaitGroup, work func() error) {
		wg.Go(func() {
			if err := work(); err != nil {
				cancel(err) // the first one's error is the cause
			}
		})
	}
	r.base = time.Now()
	begin := r.snapshot()
	for _, k := range w.consumers {
		start(&reading, k.consume)
	}
	for _, k := range w.consumers {
		select {
		case <-k.ready:
		case <-ctx.Done():
		}
	}
	if len(w.publishers) > 0 {
		begin = r.snapshot()
	}
	for _, p := range w.publishers {
		start(&publishing, p.publish)
		if !p.reads() {
			start(&reading, p.listen)
		}
	}
	published := make(chan struct{})
	go func() {
		publishing.Wait()
		close(published)
	}()
	stopProgress := r.reportProgress()

	from, to, timed := r.window(ctx, begin, published)
	r.stopped.Store(true)
	for _, p := range w.publishers {
		p.c.nc.SetWriteDeadline(time.Now().Add(time.Second)) // frees those that the server does not read
	}
	r.drain(ctx, published)
	if !timed {
		to = r.snapshot()
	}
	r.ending.Store(true)
	w.each(func(c *conn) { c.nc.SetReadDeadline(longAgo) })
	<-published
	reading.Wait()
	stopProgress()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !timed && len(w.consumers) > 0 {
		to.at = from.at
		for _, k := range w.consumers {
			to.at = max(to.at, k.lastAt)
		}
	}
	return r.result(w, from, to), nil
}

// poll is how often the phases look at the counters.
const poll = 2 * time.Millisecond

// window returns what the counters showed when the window began and when it
// ended. timed tells that Duration ended it; otherwise everything was sent
// before, and the window goes on to the last delivery.
func (r *run) window(ctx context.Context, begin snapshot, published <-chan struct{}) (from, to snapshot, timed bool) {
	from = begin
	warm := r.plan.WarmUp == 0
	if r.plan.Publishers == 0 {
		published = nil // there is nothing to wait for
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return from, to, false
		case <-published:
			return from, to, false
		case <-ticker.C:
		}
		elapsed := time.Duration(r.now() - begin.at)
		if !warm && elapsed >= r.plan.WarmUp {
			warm = true
			from = r.snapshot()
		}
		if r.plan.Duration > 0 && elapsed >= r.plan.Duration {
			return from, r.snapshot(), true
		}
		if r.plan.Publishers == 0 && (r.plan.Duration == 0 || r.delivered.Load() >= r.due()) {
			return from, to, false // drain does the waiting
		}
	}
}

// due returns how many deliveries have to come, as far as is known by now.
func (r *run) due() int64 {
	switch {
	case r.plan.Consumers == 0:
		return 0
	case r.plan.Publishers > 0:
		return r.published.Load()*int64(r.plan.copies) + r.held
	case r.plan.Count > 0:
		return r.plan.Count
	}
	return r.held
}

// drain waits for the publishers and for all deliveries that are due, as long
// as something moves.
func (r *run) drain(ctx context.Context, published <-chan struct{}) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	var last int64
	moved := time.Now()
	for {
		select {
		case <-published:
			if r.delivered.Load() >= r.due() {
				return
			}
		default:
		}
		sum := r.published.Load() + r.confirmed.Load() + r.nacked.Load() + r.delivered.Load()
		if sum != last {
			last, moved = sum, time.Now()
		} else if time.Since(moved) > r.plan.Drain {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// reportProgress starts the calls of Options.Progress and returns what ends
// them.
func (r *run) reportProgress() (stop func()) {
	if r.plan.Progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		var last snapshot
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			s := snapshot{at: r.now(), published: r.published.Load(), confirmed: r.confirmed.Load(), delivered: r.delivered.Load()}
			seconds := float64(s.at-last.at) / 1e9
			r.plan.Progress(Progress{
				Elapsed:     time.Duration(s.at),
				Published:   uint64(s.published),
				Confirmed:   uint64(s.confirmed),
				Delivered:   uint64(s.delivered),
				PublishRate: float64(s.published-last.published) / seconds,
				ConfirmRate: float64(s.confirmed-last.confirmed) / seconds,
				DeliverRate: float64(s.delivered-last.delivered) / seconds,
			})
			last = s
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// result puts the figures together when all workers have stopped.
func (r *run) result(w workers, from, to snapshot) *Result {
	res := &Result{
		Published: uint64(r.published.Load()),
		Confirmed: uint64(r.confirmed.Load()),
		Nacked:    uint64(r.nacked.Load()),
		Delivered: uint64(r.delivered.Load()),
		Lost:      uint64(max(0, r.due()-r.delivered.Load())),
		Elapsed:   time.Duration(to.at - from.at),
		ClientCPU: to.client.CPU - from.client.CPU,
	}
	if seconds := res.Elapsed.Seconds(); seconds > 0 {
		res.PublishRate = float64(to.published-from.published) / seconds
		res.ConfirmRate = float64(to.confirmed-from.confirmed) / seconds
		res.DeliverRate = float64(to.delivered-from.delivered) / seconds
		res.DeliverBytes = res.DeliverRate * float64(r.plan.Size)
	}
	if r.plan.ServerPID != 0 {
		res.ServerCPU = to.server.CPU - from.server.CPU
		res.ServerResident = to.server.Resident
		messages := to.delivered - from.delivered
		if len(w.consumers) == 0 {
			messages = to.published - from.published
		}
		if messages > 0 {
			res.CPUPerMessage = res.ServerCPU / time.Duration(messages)
		}
	}
	var latency, confirm load.Histogram
	for _, k := range w.consumers {
		latency.Merge(&k.latency)
		if at := r.base.Add(time.Duration(k.firstAt)); k.firstAt > 0 && (res.FirstDelivery.IsZero() || at.Before(res.FirstDelivery)) {
			res.FirstDelivery = at
		}
	}
	for _, p := range w.publishers {
		confirm.Merge(&p.confirms)
	}
	res.Latency, res.Confirm = latency.Summary(), confirm.Summary()
	return res
}
