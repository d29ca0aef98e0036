package amqp

import (
	"syscall"
	"time"
)

// pause sleeps for d. The runtime's timers wait in whole milliseconds when
// nothing else is to do; a schedule of 5,000 messages a second needs finer
// ones, which the kernel has.
func pause(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	syscall.Nanosleep(&ts, nil) // one that a signal cuts short is simply repeated
}
