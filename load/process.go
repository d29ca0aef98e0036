package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Usage is what a process has used since it started.
type Usage struct {
	CPU          time.Duration // in user and kernel mode together, over all threads
	Resident     int64         // bytes of memory in use now
	PeakResident int64         // the most that Resident has been
}

// tick is the unit of the times in /proc/PID/stat: USER_HZ, which Linux fixes
// at 100 on every architecture that Go supports.
const tick = 10 * time.Millisecond

// ProcessUsage reads what the process pid has used, from /proc: Linux only.
// Elsewhere, and when there is no such process, it returns an error. The CPU
// time comes in steps of 10 ms.
func ProcessUsage(pid int) (Usage, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Usage{}, fmt.Errorf("load: usage of process %d: %w", pid, err)
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return Usage{}, fmt.Errorf("load: usage of process %d: %w", pid, err)
	}
	var u Usage
	if u.CPU, err = cpuTime(stat); err != nil {
		return Usage{}, fmt.Errorf("load: %s/stat: %w", dir, err)
	}
	u.Resident = kilobytes(status, "VmRSS:")
	u.PeakResident = kilobytes(status, "VmHWM:")
	return u, nil
}

// cpuTime adds utime and stime, fields 14 and 15 of proc_pid_stat(5). The
// second field is the program's name in parentheses, which may itself hold
// spaces and parentheses, so counting starts behind the last of them.
func cpuTime(stat []byte) (time.Duration, error) {
	const utime, stime = 14 - 3, 15 - 3 // counted from field 3, the first behind the name
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= stime {
		return 0, errors.New("too few fields")
	}
	user, err := strconv.ParseInt(string(fields[utime]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[stime]), 10, 64)
	if err != nil {
		return 0, err
	}
	return time.Duration(user+system) * tick, nil
}

// kilobytes returns, in bytes, the value of one line of /proc/PID/status such
// as "VmRSS:     1234 kB", or 0: a kernel thread has no such line.
func kilobytes(status []byte, key string) int64 {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			fields := bytes.Fields(rest)
			if len(fields) == 0 {
				return 0
			}
			n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
			return n << 10
		}
	}
	return 0
}
