// Package lab is where Warren meets other people's programs: it builds the
// warren command once, starts it and its peers as processes with a bound on
// their lives, and says which peers are missing.
//
// Its settings are environment variables, so that one command line serves a
// developer and CI alike:
//
//	WARREN_INTEROP_REQUIRED=1   a missing peer fails the test instead of skipping it
//	WARREN_INTEROP_SEED=N       chooses which cells of the large matrices run
//	WARREN_INTEROP_SAMPLE=F     the fraction of those cells (0.3 when unset), or "full"
//	WARREN_INTEROP_ROUNDS=N     how often the crash tests kill a broker, instead of what the sample says
package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience bounds every wait for a peer: a line, an exit, a listener. It is
// long because the peers share a small machine with one another; no passing
// test waits for it.
const Patience = 30 * time.Second

// Python is Debian's own interpreter, the one that sees python3-zmq and
// python3-pika whatever else is first in PATH.
const Python = "/usr/bin/python3"

// The state that all tests of one process share. Main owns dir and closes
// what was opened; mu guards the rest.
var (
	dir string

	mu       sync.Mutex
	built    = map[string]*build{}
	atExit   []func()
	rabbitMQ *shared
)

type build struct {
	once sync.Once
	path string
	err  error
}

// Main runs the tests of a package between the making and the removal of the
// folder that holds what they build, and prints the seed of the sample.
func Main(m *testing.M) int {
	var err error
	if dir, err = os.MkdirTemp("", "warren-interop-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	fmt.Printf("interop: WARREN_INTEROP_SEED=%d WARREN_INTEROP_SAMPLE=%s\n", seed(), sampleText())

	code := m.Run()

	mu.Lock()
	defer mu.Unlock()
	for _, f := range atExit {
		f()
	}
	return code
}

// root is the folder of the module under test, found from this file's place
// in it.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Path names a file of the repository, given from its root.
func Path(elem ...string) string {
	return filepath.Join(append([]string{root()}, elem...)...)
}

// Warren returns the path of the warren command, built on first use.
func Warren(t testing.TB) string {
	t.Helper()
	return once(t, "warren", func(out string) *exec.Cmd {
		return goBuild(root(), out, "./cmd/warren")
	})
}

// WarrenWith is Warren built with build tags, for what no user's binary can do.
func WarrenWith(t testing.TB, tags ...string) string {
	t.Helper()
	return once(t, "warren-"+strings.Join(tags, "-"), func(out string) *exec.Cmd {
		return goBuild(root(), out, "-tags="+strings.Join(tags, ","), "./cmd/warren")
	})
}

// GoProgram returns the path of the command in a folder of the repository,
// built on first use. Programs below interop/ belong to its own module.
func GoProgram(t testing.TB, module, folder string) string {
	t.Helper()
	return once(t, filepath.Base(folder), func(out string) *exec.Cmd {
		return goBuild(filepath.Join(root(), module), out, "./"+folder)
	})
}

// CProgram returns the path of a C program compiled from one source file of
// the repository; it skips the test when there is no gcc.
func CProgram(t testing.TB, source string) string {
	t.Helper()
	NeedCommand(t, "gcc")
	return once(t, "c-"+filepath.Base(source), func(out string) *exec.Cmd {
		return exec.Command("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", out, Path(source))
	})
}

func goBuild(module, out string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", append([]string{"build", "-o", out}, args...)...)
	cmd.Dir = module
	return cmd
}

// once builds a program at most once in this process; later callers share
// the outcome, an error too.
func once(t testing.TB, name string, command func(out string) *exec.Cmd) string {
	t.Helper()
	mu.Lock()
	b := built[name]
	if b == nil {
		b = &build{path: filepath.Join(dir, name)}
		built[name] = b
	}
	mu.Unlock()
	b.once.Do(func() {
		if out, err := command(b.path).CombinedOutput(); err != nil {
			b.err = fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// Missing reports that a peer is not installed: a skip where that is allowed,
// a failure where CI has promised that all are there.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("WARREN_INTEROP_REQUIRED") == "1" {
		t.Fatalf("required peer missing: "+format, args...)
	}
	t.Skipf(format, args...)
}

// NeedCommand skips the test when a command is not in PATH.
func NeedCommand(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "%s is not installed", name)
	}
	return path
}

// NeedPython skips the test when Debian's Python lacks one of the modules.
func NeedPython(t testing.TB, modules ...string) {
	t.Helper()
	for _, module := range modules {
		if err := exec.Command(Python, "-c", "import "+module).Run(); err != nil {
			Missing(t, "%s has no module %s (Debian package python3-%s)", Python, module, module)
		}
	}
}
