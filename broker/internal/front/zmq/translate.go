package zmq

import (
	"strings"

	"github.com/warrenmq/warren/zmq"
)

// join returns the bytes of frames one behind the other: the frame itself when there is one, otherwise made in scratch.
func join(frames zmq.Message, scratch *[]byte) []byte {
	if len(frames) == 1 {
		return frames[0]
	}
	b := (*scratch)[:0]
	for _, f := range frames {
		b = append(b, f...)
	}
	*scratch = b
	return b
}

// pattern returns the topic binding that matches at least the keys that begin with prefix: the words that prefix holds
// whole, and anything behind them.
func pattern(prefix string) string {
	if len(prefix) > longestKey-1 {
		prefix = prefix[:longestKey-1] // leaves room for the #
	}
	return prefix[:strings.LastIndexByte(prefix, '.')+1] + "#"
}
