// Package journal is what a commit waits for: one sequence of files that everything durable goes through first, with one
// sync for whatever has gathered meanwhile (group commit). It knows bytes only. A unit is what its owner appends at once:
// after a crash it is there whole or not at all.
//
// # How it goes
//
// Append copies a unit into the frame that is being filled and says where in which file it will lie. One committer takes
// the frame, while the next one is being filled, writes it, syncs, and says that it is durable; then it takes the next.
// There is no timer on that way: the slower the disk, the more gathers.
//
//	Append ─► filling ─┐ swap                  ┌─► Durable, Wait, Committed
//	Append ─► frame    └─► frame on its way ───┤
//	                       WriteAt, Sync       └─► empty again, to be filled next
//
// # What holds
//
// A frame lies in one file, behind its predecessor, without a gap. Frames are numbered through all files; a frame's number
// is the ticket of its units. A file is begun only when the one before it is complete and synced, and its header says where
// that one ends. A file's name appears only with a synced header in it, so a crash leaves no file without one. Nothing
// is ever written behind what a recovery found: it goes into a new file. So Open only reads, and a crash of it changes
// nothing.
//
// # Torn or damaged
//
// The last frame of the last file may be torn by a crash: nobody was told that it is durable, and it is cut. Anything else
// that does not match its checksum was durable once, and is reported, never skipped. What tells them apart is that
// every frame says up to where its file was synced when it was written, and every file where its predecessor ends. A
// journal that was closed, or a file that was sealed, ends with a frame of no units that says so too.
//
// # The road not taken
//
// Padding frames to sectors, so that no sector is written twice, costs 512 bytes per commit and buys nothing: a torn
// sector loses a frame that was confirmed only on disks that lose what they do not write. Several journals side by side
// have more syncs a second, but a batch over two of them is not atomic.
package journal
