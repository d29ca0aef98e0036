package main

import (
	"bytes"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory gives Go's collector the memory limit of the process's Linux control group, less a tenth for what the
// collector does not count, so that it works harder instead of being killed. The environment variable GOMEMLIMIT goes
// first, and without a limit nothing changes. It returns the limit that it set in bytes, or 0.
func limitMemory() int64 {
	if os.Getenv("GOMEMLIMIT") != "" {
		return 0
	}
	limit := cgroupLimit(os.ReadFile)
	if limit == 0 {
		return 0
	}
	limit -= limit / 10
	debug.SetMemoryLimit(limit)
	return limit
}

// cgroupLimit is the least memory limit on the way from the process's own control group up to the root, in bytes; 0 is
// none. It understands version 2 and, where a group has no version 2 files, version 1.
func cgroupLimit(readFile func(string) ([]byte, error)) int64 {
	groups, err := readFile("/proc/self/cgroup") // lines of "number:controllers:/path"; version 2 has no controllers
	if err != nil {
		return 0
	}
	least := int64(math.MaxInt64)
	for line := range bytes.Lines(groups) {
		fields := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root, file := "/sys/fs/cgroup", "memory.max"
		if fields[1] != "" {
			if !strings.Contains(","+fields[1]+",", ",memory,") {
				continue
			}
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		for group := path.Clean("/" + fields[2]); ; group = path.Dir(group) {
			if text, err := readFile(path.Join(root, group, file)); err == nil {
				// "max" in version 2; version 1 writes a number near 1<<63 for none.
				if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
					least = min(least, n)
				}
			}
			if group == "/" {
				break
			}
		}
	}
	if least > math.MaxInt64/2 {
		return 0
	}
	return least
}
