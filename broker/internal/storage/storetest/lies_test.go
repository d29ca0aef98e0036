//go:build !storage_lies

package storetest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// With the build tag storage_lies the journal says that something is durable before it has synced it. A harness that
// passes nevertheless is blind.
func TestTheHarnessesCatchAJournalThatLies(t *testing.T) {
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
	for _, harness := range []string{
		"TestTheJournalKeepsItsPromisesWhateverCrashes",
		"TestTheJournalKeepsItsPromisesWhereverThePowerIsCut",
		"TestTheDiskKeepsItsPromisesWhateverCrashes",
		"TestTheDiskKeepsItsPromisesWhereverThePowerIsCut",
	} {
		t.Run(harness, func(t *testing.T) {
			cmd := exec.Command(binary, "-test.run", "^"+harness+"$")
			cmd.Env = append(os.Environ(), "STORE_SEED=", "STORE_SEEDS=100", "STORE_TRACE=")
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("it has passed:\n%s", out)
			case !strings.Contains(string(out), "--- FAIL: "+harness) || !strings.Contains(string(out), "repeat with STORE_SEED="):
				t.Errorf("it has failed in another way: %v\n%s", err, out)
			}
		})
	}
}
