//go:build !storage_lies

package engine

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// With the build tag storage_lies the journal says that something is durable before it has synced it. What does not see that
// is blind.
func TestAJournalThatLiesBreaksWhatClientsWereTold(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the tests a second time")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	binary := t.TempDir() + "/lies.test"
	if out, err := exec.Command("go", "test", "-c", "-tags", "storage_lies", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, because := range map[string]string{
		"TestWhatClientsWereToldIsTrueAfterRestartsAndCrashesAndFaultsOfADisk": "units, ",
		"TestWhatACrowdWasToldIsTrueAfterRestartsAndCrashes":                   "seed ",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(binary, "-test.run", "^"+name+"$", "-rapid.checks", "5000", "-rapid.shrinktime", "1ms", "-rapid.nofailfile")
			cmd.Env = append(os.Environ(), "STORE_SEED=", "STORE_SEEDS=300")
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("it has passed:\n%s", out)
			case !strings.Contains(string(out), "--- FAIL: "+name) || !strings.Contains(string(out), because):
				t.Errorf("it has failed in another way: %v\n%s", err, out)
			}
		})
	}
}
