// Package segment is where records live that have outlived their part of the journal: immutable files, sorted by stream. A
// file holds, stream by stream, runs of records in the order of their numbers (extents), and at its end a table of them.
// So whatever the number of streams a file costs one sync, and a stream needs to remember of its backlog no more than which
// extents it has.
//
//	Create ─► Stream, Add, Add, …, Stream, Add, … ─► Finish ─► Segment ─► Cursor, Block, Verify
//	                                                   Open ─────┘
//
// # What holds
//
// A file has its name only when it is complete and synced; until then it ends in .tmp, and a crash leaves that or nothing.
// It never changes afterwards. Every byte of it is under a checksum: what is read is what was written, or there is a
// [storage.DamageError] that says where it is not. No length is trusted before it is found to fit.
//
// Open reads the table only, whatever the size of the file. Payloads are stored once: a record says where its payload lies
// if it does not stand behind it, in this file, or in another one.
//
// # The road not taken
//
// A file per stream makes ten thousand small files and syncs of ten thousand queues; blocks of 64 KiB with compression and
// keys in them, as sorted tables have, need a copy per record on reading, and payloads do not shrink much. Varints in a
// record's header would save 10 of its 24 bytes, and lose what a damaged file is read by: headers that can be told from
// anything else wherever they begin.
package segment
