package main

import (
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/pebblestore"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// stores open what can be measured.
var stores = map[string]func(dir string) (storage.Store, error){
	"disk":   func(dir string) (storage.Store, error) { return disk.Open(disk.Options{FS: vfs.OS(), Dir: dir}) },
	"pebble": func(dir string) (storage.Store, error) { return pebblestore.Open(pebblestore.Options{Dir: dir}) },
}
