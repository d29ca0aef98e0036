package pebblestore

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
)

func TestItKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Place {
		fs := vfs.NewMem()
		return func(e storage.Events) (storage.Store, error) {
			return Open(Options{Dir: "data", FS: fs, MemTable: 1 << 20, Events: e})
		}
	})
}
