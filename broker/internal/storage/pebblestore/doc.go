// Package pebblestore implements the storage contract with Pebble, a log-structured merge tree by others. It stands
// beside package disk as its oracle: whatever both are asked, they must show the same, and what disk costs is measured against it.
// It is a module of its own, so that nothing of Pebble becomes a dependency of the broker.
//
// It is a fair yardstick and no more: batches are Pebble's, one sync is under way at a time and stands for all that was
// handed over before, values lie apart from keys. But a message that goes to several streams is stored for each of them, opening
// goes over all keys, and a disk that fails ends the process, as Pebble has it.
//
// # Keys
//
// A letter, then numbers of 8 bytes, big endian, so that Pebble's order is theirs.
//
//	a                              the next stream id
//	c                              the ticket that was handed out last
//	d stream                       Delivered
//	k key                          a value by key
//	n stream seq                   Returned: deliveries, 2 bytes
//	r stream seq                   a live record: flags, 1 byte; deadline, 8 bytes; payload
//	t stream deadline seq          its deadline; stays when the record goes, until Due passes by
//	v stream seq                   a transient record, which opening removes
//	x stream from                  a range of settled numbers: the first behind it
package pebblestore
