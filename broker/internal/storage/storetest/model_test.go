package storetest

import (
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
)

func TestTheModelKeepsTheContract(t *testing.T) {
	Run(t, func(*testing.T) Place {
		model := NewModel()
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
