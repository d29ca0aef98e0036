package storetest_test

import (
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
)

func TestTheModelKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Place {
		model := storetest.NewModel()
		first := true
		return func(e storage.Events) (storage.Store, error) {
			if !first {
				model = model.Reopen()
			}
			first = false
			model.Events = e
			return model, nil
		}
	})
}
