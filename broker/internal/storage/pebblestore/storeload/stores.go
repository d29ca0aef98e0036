package main

import (
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/pebblestore"
)

// stores open what can be measured.
var stores = map[string]func(dir string) (storage.Store, error){
	"pebble": func(dir string) (storage.Store, error) { return pebblestore.Open(pebblestore.Options{Dir: dir}) },
}
