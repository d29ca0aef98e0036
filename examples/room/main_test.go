package main

import (
	"testing"
	"time"
)

// Both ways count the lines: they fail when one of the clients misses one.
func TestEveryClientHearsEveryLine(t *testing.T) {
	for name, way := range map[string]func(n, rounds int, line []byte) (figures, error){"loop": timeLoop, "room": timeRoom} {
		t.Run(name, func(t *testing.T) {
			f, err := way(7, 3, []byte("line\n"))
			if err != nil {
				t.Fatal(err)
			}
			if f.sending <= 0 || f.arrived <= 0 {
				t.Errorf("sending took %v and arriving %v", f.sending, f.arrived)
			}
		})
	}
}

func TestMedianDependsOnNoOrder(t *testing.T) {
	for _, d := range [][]time.Duration{{1, 5, 9}, {9, 1, 5}, {5, 9, 1}} {
		if got := median(d); got != 5 {
			t.Errorf("the median of %v is %v", d, got)
		}
	}
}
