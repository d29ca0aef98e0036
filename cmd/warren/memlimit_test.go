package main

import (
	"io/fs"
	"testing"
)

func TestTheLeastLimitOnTheWayToTheRootCounts(t *testing.T) {
	const none = "9223372036854771712"
	cases := []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, 0},
		{"version 2, no limit", map[string]string{"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "max\n"}, 0},
		{"version 2, own group", map[string]string{"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/memory.max": "1000\n"}, 1000},
		{"version 2, a parent is tighter", map[string]string{"/proc/self/cgroup": "0::/a/b\n",
			"/sys/fs/cgroup/a/b/memory.max": "1000\n", "/sys/fs/cgroup/a/memory.max": "900\n"}, 900},
		{"version 1", map[string]string{"/proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n",
			"/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "4096\n"}, 4096},
		{"version 1, no limit", map[string]string{"/proc/self/cgroup": "4:memory:/\n",
			"/sys/fs/cgroup/memory/memory.limit_in_bytes": none}, 0},
		{"a path that the container does not show", map[string]string{"/proc/self/cgroup": "0::/../../x\n",
			"/sys/fs/cgroup/memory.max": "2048\n"}, 2048},
		{"nonsense", map[string]string{"/proc/self/cgroup": "nonsense\n:\n", "/sys/fs/cgroup/memory.max": "2048\n"}, 0},
	}
	for _, c := range cases {
		got := cgroupLimit(func(name string) ([]byte, error) {
			text, ok := c.files[name]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return []byte(text), nil
		})
		if got != c.want {
			t.Errorf("%s: limit %d, want %d", c.name, got, c.want)
		}
	}
}
