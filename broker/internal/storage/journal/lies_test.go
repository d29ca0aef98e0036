//go:build storage_lies

package journal

import (
	"fmt"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// The negative control: with this build tag the other tests of durability fail, and this one passes if they do.
func TestAJournalThatLiesIsCaughtWithEverySeed(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			mustFail(t, func(t testing.TB) { cutEverywhere(t, storage.Always, seed) })
		})
	}
}

// mustFail fails if test does not. It is for journals that lie: a test that believes them is blind.
func mustFail(t *testing.T, test func(testing.TB)) {
	c := &caught{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(c) {
				panic(r)
			}
		}()
		test(c)
	}()
	if c.failure == "" {
		t.Fatal("the journal lies, and nobody has noticed")
	}
	t.Log("caught:", c.failure)
}

// caught is a test whose failure is expected.
type caught struct {
	testing.TB
	failure string
}

func (c *caught) Fatalf(format string, args ...any) {
	c.failure = fmt.Sprintf(format, args...)
	panic(c)
}
