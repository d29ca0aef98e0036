// Package fsck looks into, checks, repairs and copies the data folders of brokers: what broker.Open keeps in broker.Config.Dir.
//
//	Check     reads everything and says what is wrong; it changes nothing
//	Repair    keeps everything that can be kept, and says what it dropped
//	Open      shows what is in a folder: files, queues, messages, definitions; it changes nothing
//	Backup    copies a folder as of one moment, also while a broker uses it
//
// All but Backup are for the folder of a broker that does not run: they hold its lock meanwhile, and where somebody else does they
// give an [InUseError]. To look at what a running broker has, look at a backup.
//
// Nothing here takes more memory the more messages there are: what a broker needs to open the folder, and one file's table.
package fsck
