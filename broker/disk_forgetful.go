//go:build warren_forgetful

package broker

import (
	"time"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// diskFS is where the data folder lies: with this build tag on a disk that keeps what is not synced in this process, so that
// a kill is to the folder what a power cut would be. Only tests of durability want that. It takes as long to sync as a disk
// that turns, so that a kill finds something that is on its way.
func diskFS() vfs.FS { return slowFS{vfs.Forgetful(vfs.OS())} }

const turn = 4 * time.Millisecond

type slowFS struct{ vfs.FS }

func (s slowFS) Create(name string) (vfs.File, error)        { return slow(s.FS.Create(name)) }
func (s slowFS) OpenReadWrite(name string) (vfs.File, error) { return slow(s.FS.OpenReadWrite(name)) }

func slow(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return slowFile{f}, nil
}

type slowFile struct{ vfs.File }

func (f slowFile) Sync() error {
	time.Sleep(turn)
	return f.File.Sync()
}
