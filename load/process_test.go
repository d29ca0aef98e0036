package load

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestUsageOfThisProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		if _, err := ProcessUsage(os.Getpid()); err == nil {
			t.Error("no error where there is no /proc")
		}
		return
	}
	before, err := ProcessUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if before.Resident <= 0 || before.PeakResident < before.Resident {
		t.Errorf("memory: %+v", before)
	}
	// Work, rather than time, ends the loop: the processor's own clock must
	// have seen it.
	for {
		for range 1_000_000 {
			_ = slot(12345)
		}
		after, err := ProcessUsage(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after.CPU < before.CPU {
			t.Fatalf("CPU time ran backwards: %v, then %v", before.CPU, after.CPU)
		}
		if after.CPU > before.CPU {
			return
		}
	}
}

func TestANameWithSpacesAndParenthesesDoesNotShiftTheFields(t *testing.T) {
	stat := []byte("42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0\n")
	cpu, err := cpuTime(stat)
	if err != nil || cpu != 2*time.Second {
		t.Errorf("cpuTime = %v, %v; want 2s", cpu, err)
	}
	if _, err := cpuTime([]byte("42 (x) S 1")); err == nil {
		t.Error("a line cut short is no error")
	}
}

func TestUsageOfNoProcessIsAnError(t *testing.T) {
	if _, err := ProcessUsage(-1); err == nil {
		t.Error("no error for process -1")
	}
}
