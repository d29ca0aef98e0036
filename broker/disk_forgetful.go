//go:build warren_forgetful

package broker

import "github.com/warrenmq/warren/broker/internal/storage/vfs"

// diskFS is where the data folder lies: with this build tag on a disk that keeps what is not synced in this process, so that
// a kill is to the folder what a power cut would be. Only tests of durability want that.
func diskFS() vfs.FS { return vfs.Forgetful(vfs.OS()) }
