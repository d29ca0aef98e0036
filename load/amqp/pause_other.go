//go:build !linux

package amqp

import "time"

// pause sleeps for d.
func pause(d time.Duration) { time.Sleep(d) }
