package broker

import (
	"time"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// On returns the configuration with its data folder on another file system, whose answers are not waited for so long.
func (c Config) On(fs vfs.FS, patience time.Duration) Config {
	c.fs, c.patience = fs, patience
	return c
}

// Books returns how many bytes of messages are counted as stored, how many wait in queues, and how many messages are out.
func (b *Broker) Books() (stored, waiting int64, out int) {
	for _, v := range b.engine.VHosts() {
		for _, q := range v.Queues() {
			i := q.Info()
			waiting += i.ReadyBytes + i.UnackedBytes
			out += i.Unacked
		}
	}
	return b.engine.Stored(), waiting, out
}

// Bound returns how many bindings an exchange of the vhost "/" has.
func (b *Broker) Bound(exchange string) int {
	n := 0
	for _, x := range b.engine.VHost("/").Bindings() {
		if x.Exchange == exchange {
			n++
		}
	}
	return n
}
