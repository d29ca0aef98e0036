// Package storage is the contract between the engine and what keeps its messages and definitions on a disk. It knows
// bytes: records in numbered streams, and values by key. What a queue is it does not know.
//
// # Promises
//
// A batch is atomic, and durable when its ticket is. Batches of one goroutine become durable in their order. A record that
// is durable is read back, byte for byte, until it is settled, or a [DamageError] says that it cannot be; nothing else is
// ever shown. A settled record never comes back once the batch that settled it is durable. Sequence numbers and ids of
// streams that were ever mentioned are never handed out again.
//
// # Rooms
//
// disk implements the contract with a journal, which all streams share and which is what a commit waits for (journal),
// and with segments, to which is copied, sorted by stream, what outlives its part of the journal (segment). Both keep
// payloads in the same form (block). All of them see the disk through vfs. storetest holds the contract as tests, with a
// model of a store that lives in memory.
package storage
