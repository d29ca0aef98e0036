package main

import (
	"context"
	"net"
	"testing"

	"github.com/warrenmq/warren/load/amqp"
)

func TestTheRelayDeliversEveryMessageOnAllRoutes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- new(relay).serve(ctx, l) }()
	for name, o := range map[string]amqp.Options{
		"default":      {Count: 20_000},
		"large bodies": {Count: 20, Size: 700_000},
		"acks":         {Count: 20_000, Prefetch: 100},
		"confirms":     {Count: 20_000, Confirms: 50},
		"direct":       {Count: 20_000, Queues: 3, Route: amqp.RouteDirect},
		"fanout":       {Count: 500, Queues: 20, Route: amqp.RouteFanout},
		"topic":        {Count: 500, Queues: 20, Consumers: 2, Route: amqp.RouteTopic},
	} {
		t.Run(name, func(t *testing.T) {
			o.URL = "amqp://" + l.Addr().String()
			o.QueuePrefix = name
			r, err := amqp.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			copies := uint64(1)
			if o.Route == amqp.RouteFanout || o.Route == amqp.RouteTopic {
				copies = uint64(o.Queues)
			}
			if r.Delivered != uint64(o.Count)*copies || r.Lost != 0 {
				t.Errorf("delivered %d of %d", r.Delivered, uint64(o.Count)*copies)
			}
		})
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestScenariosHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range scenarios {
		if seen[s.name] || s.about == "" {
			t.Errorf("scenario %q: twice, or without a description", s.name)
		}
		seen[s.name] = true
	}
	if _, err := chosen("no such thing"); err == nil {
		t.Error("a pattern that matches nothing is no error")
	}
}

func TestWhatIsPersistentIsMeasuredBesideTheDisk(t *testing.T) {
	for _, s := range scenarios {
		if s.disk != s.load.Persistent {
			t.Errorf("%s: persistent %v, beside the limit program %v", s.name, s.load.Persistent, s.disk)
		}
	}
}
