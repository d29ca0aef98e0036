// Package disk keeps streams of records, and values by key, in a folder.
//
//	Batch.Commit ─► journal ──────── sealed files ──► segments ◄─┐ gathered, when little of them is alive
//	                   │   (short-lived records die there)  └────┘
//	                   └─► streams in memory: chunks, and which of their records are alive
//
//	DIR/lock             who has the folder
//	DIR/checkpoint       how things were behind one unit of the journal: see checkpoint.go
//	DIR/000123.journal   what came since, and records that were not copied yet; or payloads that a segment points to
//	DIR/000124.segment   records that outlived their part of the journal, sorted by stream
//	DIR/000125.meta      the values by key, as of the checkpoint
//
// # One order
//
// A batch is handed to the journal and takes effect in memory under one lock, so there is one order of batches: in
// the journal, in memory, and in recovery. A checkpoint is the state behind one unit: of the units before it recovery
// takes only where records lie, of those behind it everything. So nothing is applied twice, and a batch is never half
// there.
//
// # What a stream costs
//
// A chunk for each file that has records of it, in which numbers follow one another; 8 bytes for each record in the
// files of the journal that were not copied yet; and where records were settled out of order, spans of numbers or at
// most about a bit per number. Nothing per record beyond that.
//
// # Files come and go
//
// A file is written under another name, synced, renamed, and the folder synced, before a checkpoint names it. A file
// is removed, or written over, after a checkpoint that does not name it any more is durable, and when nobody reads
// it: readers pin a file under the lock of a stream that has something in it. What a crash leaves that no checkpoint
// names is removed on the next start.
//
// # The road not taken
//
// Replaying everything since an older picture, idempotently, needs no picture of one moment, but has to know of every
// record whether it was settled before the picture was taken, for good. A lock per stream around append and effect
// would let batches for different streams pass each other; what is done under the lock takes some 50 ns per record,
// and a batch over two streams would need both locks anyway.
package disk
