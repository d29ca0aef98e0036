package storetest

import (
	"fmt"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

func openDisk(o Options) (Subject, error) {
	s, err := disk.Open(disk.Options{FS: o.FS, Dir: o.Dir, JournalSize: o.JournalSize, Sync: o.Sync, Events: o.Events, Manual: true})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openRunning opens a store that runs by itself.
func openRunning(o Options) (storage.Store, error) {
	s, err := disk.Open(disk.Options{FS: o.FS, Dir: o.Dir, JournalSize: o.JournalSize, Sync: o.Sync, Events: o.Events})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func TestTheDiskKeepsTheContract(t *testing.T) {
	for name, fs := range map[string]func(t *testing.T) (vfs.FS, string){
		"on a disk": func(t *testing.T) (vfs.FS, string) { return vfs.OS(), t.TempDir() },
		"in memory": func(*testing.T) (vfs.FS, string) { return vfs.NewMemory(), dir },
	} {
		for _, size := range []int64{0, 4096} {
			t.Run(fmt.Sprintf("%s, journal size %d", name, size), func(t *testing.T) {
				Run(t, func(t *testing.T) Place {
					fs, dir := fs(t)
					return func(e storage.Events) (storage.Store, error) {
						return openRunning(Options{FS: fs, Dir: dir, JournalSize: size, Events: e})
					}
				})
			})
		}
	}
}

func TestTheDiskKeepsItsPromisesWhateverCrashes(t *testing.T) {
	simulate(t, Simulation{Open: openDisk, Busy: true}, 60)
}

func TestTheDiskLosesOnlyTheLatestWhereItDoesNotSync(t *testing.T) {
	for _, sync := range []storage.Sync{storage.Interval, storage.Never} {
		t.Run(sync.String(), func(t *testing.T) { simulate(t, Simulation{Open: openDisk, Sync: sync, Busy: true}, 20) })
	}
}

func TestTheDiskKeepsItsPromisesWhereverThePowerIsCut(t *testing.T) {
	enumerate(t, Enumeration{Open: openDisk, Busy: true}, 2)
}

func TestTheDiskSaysWhichCallsFailed(t *testing.T) { fail(t, Failing{Open: openDisk, Busy: true}, 1) }

func TestTheDiskNeverServesWhatHasRotted(t *testing.T) { rot(t, Rot{Open: openDisk}, 4) }

func TestTheDiskKeepsItsPromisesToACrowd(t *testing.T) { crowded(t, openRunning, 2) }
