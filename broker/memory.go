package broker

import (
	"bytes"
	"os"
	"strconv"
)

// unknownMemory is assumed where the system does not say how much there is.
const unknownMemory = 2 << 30

// availableMemory returns how many bytes this process may use: the control group's limit or the machine's memory,
// whichever is less.
func availableMemory() int64 {
	all := int64(unknownMemory)
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range bytes.Lines(info) {
			if rest, ok := bytes.CutPrefix(line, []byte("MemTotal:")); ok {
				if kb, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64); err == nil {
					all = kb << 10
				}
			}
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if text, err := os.ReadFile(file); err == nil {
			if limit, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64); err == nil && limit > 0 {
				all = min(all, limit)
			}
		}
	}
	return all
}
