package limit

import (
	"os"
	"testing"
	"time"
)

func TestItWritesAsManyRecordsAsItSays(t *testing.T) {
	dir := t.TempDir()
	r, err := Run(Options{Dir: dir, Size: 100, Window: 64, Records: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if r.Records != 1000 || r.Latency.Count != 1000 || r.Latency.P50 <= 0 || r.Elapsed <= 0 {
		t.Errorf("%+v", r)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
}

func TestADurationEndsItToo(t *testing.T) {
	r, err := Run(Options{Dir: t.TempDir(), Size: 10, Window: 1, Duration: time.Millisecond})
	if err != nil || r.Records == 0 || r.Elapsed < time.Millisecond {
		t.Errorf("%+v, %v", r, err)
	}
}
