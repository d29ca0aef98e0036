//go:build !warren_forgetful

package broker

import "github.com/warrenmq/warren/broker/internal/storage/vfs"

// diskFS is where the data folder lies.
func diskFS() vfs.FS { return vfs.OS() }
