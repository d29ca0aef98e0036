package crash

import (
	"strings"
	"testing"
	"time"
)

// A scene is a history that is told by hand.
type scene struct {
	*history
	t *testing.T
}

func (s scene) kill() { s.end(time.Now(), false) }

// said publishes a persistent message and has it confirmed.
func (s scene) said(queues ...string) *message {
	m := s.publish(1, true, nil, queues...)
	s.answered(m, true)
	return m
}

// got has a new consumer get a message.
func (s scene) got(m *message, queue string, redelivered bool) *copied {
	return s.deliver(s.consume(queue, 10), queue, body(m.id, 0), m.name(), redelivered)
}

// done has it get and acknowledge it.
func (s scene) done(m *message, queue string, redelivered bool) []ack {
	return s.acks(s.got(m, queue, redelivered))
}

// Whatever breaks a promise is seen.
func TestHistorySeesEachBrokenPromise(t *testing.T) {
	for _, c := range []struct {
		name, seen string
		play       func(s scene)
	}{
		{"a confirmed message is lost", "q has lost it", func(s scene) {
			s.said("q")
			s.kill()
			s.empty()
		}},
		{"a message is lost that was given back", "q has lost it", func(s scene) {
			s.requeue(s.got(s.said("q"), "q", false))
			s.kill()
			s.empty()
		}},
		{"one copy of a fan-out is lost, and the other was there after the kill", "r has lost it", func(s scene) {
			m := s.publish(1, true, nil, "q", "r")
			s.kill()
			s.done(m, "q", false)
			s.empty()
		}},
		{"a transaction is there by half", "q has lost it", func(s scene) {
			tx := s.begin()
			m := s.publish(1, true, tx, "q")
			s.publish(1, true, tx, "q")
			s.commit(tx, nil)
			s.kill()
			s.done(m, "q", false)
			s.empty()
		}},
		{"a transaction was committed and is not there", "q has lost it", func(s scene) {
			tx := s.begin()
			s.publish(1, true, tx, "q")
			s.commit(tx, nil)
			s.commitOk(tx)
			s.kill()
			s.empty()
		}},
		{"a transaction's acknowledgement comes back, its messages are there", "came back", func(s scene) {
			old := s.got(s.said("r"), "r", false)
			tx := s.begin()
			m := s.publish(1, true, tx, "q")
			s.commit(tx, []*copied{old})
			s.kill()
			s.done(m, "q", false)
			s.done(old.m, "r", true)
		}},
		{"the same the other way round", "came back", func(s scene) {
			old := s.got(s.said("r"), "r", false)
			tx := s.begin()
			m := s.publish(1, true, tx, "q")
			s.commit(tx, []*copied{old})
			s.kill()
			s.done(old.m, "r", true)
			s.done(m, "q", false)
		}},
		{"what was rolled back is there", "not committed", func(s scene) {
			tx := s.begin()
			m := s.publish(1, true, tx, "q")
			s.rollback(tx)
			s.got(m, "q", false)
		}},
		{"an acknowledgement comes back after a later confirm on its channel", "was safe", func(s scene) {
			m := s.said("q")
			acks := s.done(m, "q", false)
			mark := s.publish(2, true, nil, "r")
			mark.covers = acks
			s.answered(mark, true)
			s.kill()
			s.got(m, "q", true)
		}},
		{"an acknowledgement comes back after a pause", "was safe", func(s scene) {
			m := s.said("q")
			s.done(m, "q", false)
			s.quiet()
			s.kill()
			s.got(m, "q", true)
		}},
		{"something comes back from before the queues were empty", "before the queues were last empty", func(s scene) {
			m := s.said("q")
			s.durable(s.done(m, "q", false))
			s.empty()
			s.kill()
			s.got(m, "q", true)
		}},
		{"a message comes twice", "while another delivery", func(s scene) {
			m := s.said("q")
			s.got(m, "q", false)
			s.got(m, "q", true)
		}},
		{"a message comes after it was acknowledged", "no restart in between", func(s scene) {
			m := s.said("q")
			s.done(m, "q", false)
			s.got(m, "q", true)
		}},
		{"two messages come in the wrong order", "for the first time, after", func(s scene) {
			m := s.said("q")
			s.got(s.said("q"), "q", false)
			s.got(m, "q", false)
		}},
		{"a hole", "which came later, has survived", func(s scene) {
			s.publish(1, true, nil, "q")
			m := s.publish(1, true, nil, "q")
			s.kill()
			s.done(m, "q", false)
			s.empty()
		}},
		{"a transient message survives", "transient", func(s scene) {
			m := s.publish(1, false, nil, "q")
			s.kill()
			s.got(m, "q", false)
		}},
		{"other bytes come", "other bytes", func(s scene) {
			b := body(s.said("q").id, 100)
			b[50]++
			s.deliver(s.consume("q", 1), "q", b, "", false)
		}},
		{"other properties come", "message id", func(s scene) {
			m := s.said("q")
			s.deliver(s.consume("q", 1), "q", body(m.id, 0), "1-7", false)
		}},
		{"a message is in a queue that it was not published to", "not published to it", func(s scene) {
			s.got(s.said("q"), "r", false)
		}},
		{"a message was never published", "never published", func(s scene) {
			s.got(&message{id: id{9, 9}}, "q", false)
		}},
		{"a message comes again without a mark", "not marked", func(s scene) {
			m := s.said("q")
			s.requeue(s.got(m, "q", false))
			s.got(m, "q", false)
		}},
		{"a message comes again after a kill without a mark", "not marked", func(s scene) {
			m := s.said("q")
			c := s.got(m, "q", false)
			c.seen = c.seen.Add(-time.Second)
			s.said("r")
			s.kill()
			s.got(m, "q", false)
		}},
		{"a message is marked that nobody can have had", "redelivered without", func(s scene) {
			m := s.said("q")
			s.kill()
			s.deliver(s.consume("q", 0), "q", body(m.id, 0), m.name(), true)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scene{newHistory(promise{}, &queue{name: "q"}, &queue{name: "r"}), t}
			c.play(s)
			err := s.err()
			if err == nil {
				t.Fatal("it was not seen")
			}
			if !strings.Contains(err.Error(), c.seen) {
				t.Errorf("it was seen as something else: %v", err)
			}
		})
	}
}

// Whatever is allowed is no broken promise.
func TestHistoryAllowsWhatIsNotPromised(t *testing.T) {
	ever := promise{window: -1}
	for _, c := range []struct {
		name    string
		promise promise
		play    func(s scene)
	}{
		{"an unconfirmed message is lost", promise{}, func(s scene) {
			s.publish(1, true, nil, "q")
			s.kill()
		}},
		{"an unconfirmed message survives", promise{}, func(s scene) {
			m := s.publish(1, true, nil, "q", "r")
			s.kill()
			s.done(m, "q", false)
			s.done(m, "r", false)
		}},
		{"a transient message is lost", promise{}, func(s scene) {
			s.answered(s.publish(1, false, nil, "q"), true)
			s.kill()
		}},
		{"an acknowledgement is lost", promise{}, func(s scene) {
			m := s.said("q")
			s.done(m, "q", false)
			s.kill()
			s.done(m, "q", true)
		}},
		{"the mark of a delivery is lost with it", promise{}, func(s scene) {
			m := s.said("q")
			s.got(m, "q", false)
			s.kill()
			s.done(m, "q", false)
		}},
		{"a mark without a delivery that anybody has read", promise{}, func(s scene) {
			m := s.said("q")
			s.leave(s.consume("q", 1))
			s.done(m, "q", true)
		}},
		{"a transaction is not there at all", promise{}, func(s scene) {
			old := s.got(s.said("r"), "r", false)
			tx := s.begin()
			s.publish(1, true, tx, "q")
			s.commit(tx, []*copied{old})
			s.kill()
			s.done(old.m, "r", true)
		}},
		{"a confirmed message is lost that was never to be synced", ever, func(s scene) {
			s.said("q")
			s.kill()
		}},
		{"a confirmed message is lost within the interval", promise{window: time.Hour}, func(s scene) {
			s.said("q")
			s.kill()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scene{newHistory(c.promise, &queue{name: "q"}, &queue{name: "r"}), t}
			c.play(s)
			s.empty()
			if err := s.err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// An orderly end loses nothing, whatever --sync says.
func TestHistoryExpectsEverythingAfterAnOrderlyEnd(t *testing.T) {
	s := scene{newHistory(promise{window: -1}, &queue{name: "q"}), t}
	s.said("q")
	s.end(time.Now(), true)
	if least, most := s.bounds("q"); least != 1 || most != 1 {
		t.Errorf("%d to %d messages are expected, not one", least, most)
	}
	s.empty()
	if s.err() == nil {
		t.Error("a loss was not seen")
	}
}
