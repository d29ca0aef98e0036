package amqp091

import (
	"errors"
	"fmt"
	"testing"

	"github.com/warrenmq/warren/broker/internal/engine"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

func TestEveryRefusalHasACodeAndALevel(t *testing.T) {
	for _, tt := range []struct {
		err   error
		code  wire.Code
		level wire.Level
		text  string
	}{
		{&engine.Error{Kind: engine.NotFound, Text: "no queue"}, 404, wire.LevelChannel, "NOT_FOUND - no queue"},
		{&engine.Error{Kind: engine.AccessRefused, Text: "no"}, 403, wire.LevelChannel, "ACCESS_REFUSED - no"},
		{&engine.Error{Kind: engine.ResourceLocked, Text: "no"}, 405, wire.LevelChannel, "RESOURCE_LOCKED - no"},
		{&engine.Error{Kind: engine.PreconditionFailed, Text: "no"}, 406, wire.LevelChannel, "PRECONDITION_FAILED - no"},
		{&engine.Error{Kind: engine.NotAllowed, Text: "no"}, 530, wire.LevelConnection, "NOT_ALLOWED - no"},
		{&engine.Error{Kind: engine.NotImplemented, Text: "no"}, 540, wire.LevelConnection, "NOT_IMPLEMENTED - no"},
		{fmt.Errorf("wrapped: %w", &engine.Error{Kind: engine.NotFound, Text: "no"}), 404, wire.LevelChannel, "NOT_FOUND - no"},
		{engine.ErrClosed, 320, wire.LevelConnection, "CONNECTION_FORCED - the broker is closing"},
		{&engine.Error{Kind: 200, Text: "new"}, 541, wire.LevelConnection, "INTERNAL_ERROR - see the broker's log"},
		{&engine.Error{}, 541, wire.LevelConnection, "INTERNAL_ERROR - see the broker's log"},
		{errors.New("the disk is on fire"), 541, wire.LevelConnection, "INTERNAL_ERROR - see the broker's log"},
		{violation(wire.FrameError, "bad %d", 7), 501, wire.LevelConnection, "FRAME_ERROR - bad 7"},
		{errUnimplemented(), 503, wire.LevelConnection, "COMMAND_INVALID - unimplemented method"},
		{errKept(), 506, wire.LevelConnection, "RESOURCE_ERROR - unfinished messages and open transactions of the connection need more than 134217728 bytes"},
	} {
		code, text := reply(tt.err)
		if code != tt.code || code.Level() != tt.level || code.ReplyText(text) != tt.text {
			t.Errorf("%v: %d, level %d, %q; want %d, level %d, %q", tt.err, code, code.Level(), code.ReplyText(text), tt.code, tt.level, tt.text)
		}
	}
}

func TestEveryKindOfTheEngineIsInTheTable(t *testing.T) {
	for kind := engine.NotFound; kind <= engine.NotImplemented; kind++ {
		if int(kind) >= len(codes) || codes[kind] == 0 {
			t.Errorf("kind %d has no code", kind)
		}
	}
}
