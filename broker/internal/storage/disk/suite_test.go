package disk

import (
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

var _ storetest.Subject = (*Store)(nil)

func TestAStoreOnADiskKeepsTheContract(t *testing.T) {
	for name, size := range map[string]int64{"journal of usual files": 0, "journal of tiny files": 600} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Place {
				fs := vfs.NewMemory()
				return func(e storage.Events) (storage.Store, error) {
					return Open(Options{FS: fs, Dir: "data", JournalSize: size, Events: e})
				}
			})
		})
	}
}
