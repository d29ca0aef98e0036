package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Simulation is a run of random operations of several clients on a store on a disk that crashes. All of it follows from
// Seed.
type Simulation struct {
	Open  Open
	Seed  uint64
	Steps int                              // 0 is 250
	Sync  storage.Sync                     // of the store: what is not Always keeps less of its promises after a power cut
	Busy  bool                             // clients hand over batches also while the store copies out, compacts or writes a checkpoint
	Trace func(format string, args ...any) // is told each step; nil: nobody is
}

// Tally is what happened in simulations.
type Tally struct {
	Seeds     int
	Steps     int
	Batches   int
	PowerCuts int // that lost some of what was not synced
	Kills     int // of the process, after which the disk still has what it had
	Recovery  int // of both, while the store was being opened
	Reopened  int // closed and opened
	Lost      int // batches that were not durable and gone after a crash
	Kept      int // batches that were not durable and there after a crash
}

// Add adds another tally.
func (t *Tally) Add(o Tally) {
	t.Seeds += o.Seeds
	t.Steps += o.Steps
	t.Batches += o.Batches
	t.PowerCuts += o.PowerCuts
	t.Kills += o.Kills
	t.Recovery += o.Recovery
	t.Reopened += o.Reopened
	t.Lost += o.Lost
	t.Kept += o.Kept
}

func (t Tally) String() string {
	return fmt.Sprintf("%d seeds, %d steps, %d batches; %d power cuts and %d kills, %d of them during recovery; closed and opened %d times; "+
		"of the batches that were not durable at a crash %d were lost and %d kept",
		t.Seeds, t.Steps, t.Batches, t.PowerCuts, t.Kills, t.Recovery, t.Reopened, t.Lost, t.Kept)
}

// Run runs the simulation and returns in what the store broke its promises.
func (s Simulation) Run() (Tally, error) {
	if s.Steps == 0 {
		s.Steps = 250
	}
	w := newWorld(s, slices.Concat(work, accidents))
	if w.rnd.IntN(8) == 0 { // streams of many small records
		w.journal, w.payload, w.burst, w.small = 32<<10, 8, 300, w.rnd.IntN(2) == 0
	}
	err := w.run()
	return w.tally, err
}

func newWorld(s Simulation, actions []action) *world {
	w := &world{
		Simulation: s,
		actions:    actions,
		rnd:        rand.New(rand.NewPCG(s.Seed, 0)),
		disk:       vfs.NewMemory(),
		highest:    make(map[uint64]uint64),
		tally:      Tally{Seeds: 1},
	}
	w.process = newProcess(w.disk)
	w.journal = 1 << (9 + w.rnd.IntN(6)) // 512 B to 16 KiB
	w.payload = 1 << (2 + w.rnd.IntN(9)) // 4 B to 1 KiB
	w.burst = 8
	w.slow = w.rnd.IntN(2) == 0
	return w
}

// world is a simulation that runs.
type world struct {
	Simulation
	actions []action // that may come
	rnd     *rand.Rand
	journal int64 // size of a file of the journal
	payload int   // usual size of a payload
	small   bool  // none is larger
	burst   int   // how many records, at most, are published or settled at once
	slow    bool  // one of the clients hands over seldom

	disk    *vfs.Memory
	process *process
	store   Subject
	failed  error // what the store said when it failed
	wrong   error // what went wrong while clients interrupted the store
	history History
	weak    History // where Sync is not Always: as history, but only what is durable after a power cut counts as such
	clients [3]client
	streams []*simStream              // that were not dropped
	handles map[uint64]storage.Stream // of all, by id
	highest map[uint64]uint64         // by stream: the highest number that was ever used
	lastID  uint64                    // the highest id that a stream has, of those that are known to the disk or were handed out since
	serial  int                       // of payloads
	tally   Tally

	handed   func(unit) // is told of each batch that is handed over; nil: nobody is
	promised func()     // is told after something was reported durable; nil: nobody is
}

// client gathers changes for its next batch.
type client struct {
	batch   storage.Batch
	changes []Change
}

type simStream struct {
	storage.Stream
	next uint64 // number to use
}

func (w *world) trace(format string, args ...any) {
	if w.Trace != nil {
		w.Trace(format, args...)
	}
}

func (w *world) run() error {
	if err := w.steps(); err != nil {
		return err
	}
	if err := w.end(); err != nil {
		return fmt.Errorf("in the end: %w", err)
	}
	return nil
}

// steps opens the store and takes all steps but those of the end.
func (w *world) steps() error {
	if err := w.begin(); err != nil {
		return err
	}
	for w.tally.Steps < w.Steps {
		w.tally.Steps++
		if err := w.step(); err != nil {
			return fmt.Errorf("step %d: %w", w.tally.Steps, err)
		}
	}
	return nil
}

// begin opens the store for the first time.
func (w *world) begin() error {
	if err := w.open(); err != nil {
		return err
	}
	return w.compareOpened(false)
}

// open opens the store and begins with what it shows, which is nothing, or what was closed, or what a crash left.
func (w *world) open() (err error) {
	w.failed = nil
	w.store, err = w.Open(Options{
		FS: w.process, Dir: dir, JournalSize: w.journal, Sync: w.Sync,
		Events: storage.Events{
			Committed: w.committed,
			Failed:    func(err error) { w.failed = err },
		},
	})
	return err
}

func (w *world) committed(t storage.Ticket) {
	w.history.Durable(t)
	if w.promised != nil {
		w.promised()
	}
}

// begun takes in what the store shows after it was opened.
func (w *world) begun() error {
	w.streams, w.handles = nil, make(map[uint64]storage.Stream)
	now := w.history.Now()
	for _, id := range w.store.Streams() {
		s := &simStream{Stream: w.store.Stream(id)}
		s.next = s.Info().Next
		if s.next > w.highest[id]+1 {
			return fmt.Errorf("stream %d: Next is %d, and the highest number was %d", id, s.next, w.highest[id])
		}
		w.streams = append(w.streams, s)
		w.handles[id] = s.Stream
	}
	w.lastID = now.lastStream
	for i := range w.clients {
		w.clients[i] = client{batch: w.store.NewBatch()}
	}
	return nil
}

// action is one kind of step, and how often it comes.
type action struct {
	weight int
	name   string
	do     func(*world) error
}

// work is what clients and the store itself do, accidents what happens to them.
var (
	work = []action{
		{60, "publish", (*world).publish},
		{10, "fan out", (*world).fanOut},
		{60, "settle", (*world).settle},
		{4, "settle early", (*world).settleEarly},
		{6, "delivered", (*world).delivered},
		{6, "returned", (*world).returned},
		{4, "truncate", (*world).truncate},
		{2, "drop", (*world).drop},
		{8, "value", (*world).value},
		{60, "hand over", (*world).handOver},
		{40, "commit", (*world).commit},
		{12, "copy out", (*world).copyOut},
		{6, "compact", (*world).compact},
		{6, "checkpoint", (*world).checkpoint},
		{3, "reopen", (*world).reopen},
		{6, "look", (*world).look},
		{4, "peek", (*world).peek},
	}
	accidents = []action{
		{3, "full", (*world).full},
		{4, "crash", (*world).crash},
		{6, "plan a crash", (*world).planCrash},
	}
)

// choose returns one of the actions that may come.
func (w *world) choose() *action {
	sum := 0
	for i := range w.actions {
		sum += w.actions[i].weight
	}
	n := w.rnd.IntN(sum)
	for i := range w.actions {
		if n -= w.actions[i].weight; n < 0 {
			return &w.actions[i]
		}
	}
	panic("storetest: no action")
}

func (w *world) step() error {
	a := w.choose()
	if err := a.do(w); err != nil && !w.process.isDead() {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	if w.process.isDead() {
		w.trace("the process has died")
		return w.crash()
	}
	if w.failed != nil {
		return fmt.Errorf("the store has failed: %w", w.failed)
	}
	return w.wrong
}

// close closes the store, which leaves nothing behind in this process.
func (w *world) close() error {
	if err := w.store.Close(); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	if n := w.history.Pending(); n > 0 {
		return fmt.Errorf("%d batches are not durable after Close", n)
	}
	if open := w.disk.OpenFiles(); len(open) > 0 {
		return fmt.Errorf("after Close are still open: %s", strings.Join(open, ", "))
	}
	return nil
}

func (w *world) reopen() error {
	w.trace("reopen")
	w.tally.Reopened++
	for i := range w.clients {
		w.handOverBatch(&w.clients[i])
	}
	if err := w.close(); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	return w.compareOpened(false)
}

// compareOpened compares what the store shows that was opened with what it may; cut says that the power was.
func (w *world) compareOpened(cut bool) error {
	if cut && w.Sync != storage.Always {
		w.history = w.weak
	}
	pending := w.history.Pending()
	kept, err := recovered(w.store, &w.history)
	if err != nil {
		return err
	}
	w.weak = History{}
	if w.Sync != storage.Always {
		w.weak.Begin(w.history.durable.Clone())
	}
	w.tally.Kept += kept
	w.tally.Lost += pending - kept
	w.trace("opened, with %d of %d batches that were not durable", kept, pending)
	return w.begun()
}

// full is a time in which the disk takes nothing more. What is handed over then is not lost.
func (w *world) full() error {
	w.trace("the disk is full")
	w.process.setFull(true)
	for range 1 + w.rnd.IntN(4) {
		w.handOverBatch(w.client())
		step := []func() error{w.store.Commit, w.store.Commit, w.store.CopyOut, w.store.Compact, w.store.Checkpoint}[w.rnd.IntN(5)]
		if err := step(); err != nil && !errors.Is(err, vfs.ErrNoSpace) {
			return err
		}
	}
	w.process.setFull(false)
	w.trace("the disk has room again")
	if err := w.store.Commit(); err != nil {
		return err
	}
	if n := w.history.Pending(); n > 0 && !w.process.isDead() {
		return fmt.Errorf("%d batches are not durable although the disk has room again", n)
	}
	return nil
}

// planCrash lets the process die at one of its next calls, whatever it is doing then.
func (w *world) planCrash() error {
	n := 1 + w.rnd.IntN(25)
	w.trace("will die at call %d", n)
	w.process.dieAt(n)
	return nil
}

// crash ends the process and opens the store again, perhaps with further crashes while it recovers.
func (w *world) crash() error {
	if w.store != nil {
		w.history.Durable(w.store.Durable()) // somebody may have looked
	}
	cut := false
	for attempt := 0; ; attempt++ {
		w.process.kill()
		if w.rnd.IntN(4) == 0 {
			w.trace("kill")
			w.tally.Kills++
			w.disk = w.disk.Clone()
		} else {
			keep := []float64{0, 1, 0.5, w.rnd.Float64()}[w.rnd.IntN(4)]
			w.trace("power cut: of what was not synced, %.2f is kept", keep)
			w.tally.PowerCuts++
			cut = true
			w.disk = w.disk.Crash(w.rnd, keep)
		}
		if attempt > 0 {
			w.tally.Recovery++
		}
		w.process = newProcess(w.disk)
		if attempt < 4 && w.rnd.IntN(3) == 0 {
			n := 1 + w.rnd.IntN(15)
			w.trace("will die at call %d of recovery", n)
			w.process.dieAt(n)
		}
		err := w.open()
		if w.process.isDead() {
			continue
		}
		if err != nil {
			return fmt.Errorf("opening after a crash: %w", err)
		}
		w.process.dieAt(0)
		return w.compareOpened(cut)
	}
}

// look compares all that the store shows.
func (w *world) look() error {
	w.trace("look")
	if w.process.isDead() {
		return nil
	}
	if err := Compare(w.store, w.history.Now()); err != nil {
		return err
	}
	for _, s := range w.streams {
		if st := w.history.Now().streams[s.ID()]; st != nil && !st.dropped {
			if err := compareDue(s, st, w.rnd.Int64N(1100)); err != nil {
				return fmt.Errorf("stream %d: %w", s.ID(), err)
			}
		}
	}
	return nil
}

// end lets the store come to rest, looks at the disk, and opens the store once more.
func (w *world) end() error {
	w.process.dieAt(0)
	if err := w.reopen(); err != nil {
		return err
	}
	if w.rnd.IntN(2) == 0 {
		w.trace("drop everything")
		for len(w.streams) > 0 {
			if err := w.drop(); err != nil {
				return err
			}
		}
		for i := range w.clients {
			w.handOverBatch(&w.clients[i])
		}
	}
	files, err := w.rest()
	if err != nil {
		return err
	}
	if err := w.space(files); err != nil {
		return err
	}
	if err := w.reopen(); err != nil {
		return err
	}
	if err := w.look(); err != nil {
		return err
	}
	return w.close()
}
