package broker

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/warrenmq/warren/broker/internal/exchange"
)

// Table is a set of headers or arguments. Values are nil, bool, any integer type, float32, float64, string, []byte or
// time.Time; others, and integers above the largest int64, make the call that takes the table fail.
//
// What comes back is nil, bool, int64, float64, string (of []byte too), time.Time in UTC to the second, or, for what other
// protocols nest in a header (arrays and tables), its AMQP 0-9-1 encoding as []byte.
type Table map[string]any

// args returns the table as arguments, sorted by name.
func (t Table) args() ([]exchange.Arg, error) {
	if len(t) == 0 {
		return nil, nil
	}
	args := make([]exchange.Arg, 0, len(t))
	for name, value := range t {
		if len(name) > 255 {
			return nil, fmt.Errorf("broker: a header's name has at most 255 bytes, not %d", len(name))
		}
		v, err := neutral(value)
		if err != nil {
			return nil, fmt.Errorf("broker: header %q: %w", name, err)
		}
		args = append(args, exchange.Arg{Name: name, Value: v})
	}
	slices.SortFunc(args, func(a, b exchange.Arg) int { return strings.Compare(a.Name, b.Name) })
	return args, nil
}

func neutral(value any) (exchange.Value, error) {
	integer := func(i int64) (exchange.Value, error) { return exchange.Value{Kind: exchange.Int, Int: i}, nil }
	unsigned := func(i uint64) (exchange.Value, error) {
		if i > math.MaxInt64 {
			return exchange.Value{}, fmt.Errorf("%d is above the largest integer that can travel, %d", i, math.MaxInt64)
		}
		return integer(int64(i))
	}
	switch v := value.(type) {
	case nil:
		return exchange.Value{Kind: exchange.Void}, nil
	case bool:
		return exchange.Value{Kind: exchange.Bool, Bool: v}, nil
	case int:
		return integer(int64(v))
	case int8:
		return integer(int64(v))
	case int16:
		return integer(int64(v))
	case int32:
		return integer(int64(v))
	case int64:
		return integer(v)
	case uint:
		return unsigned(uint64(v))
	case uint8:
		return unsigned(uint64(v))
	case uint16:
		return unsigned(uint64(v))
	case uint32:
		return unsigned(uint64(v))
	case uint64:
		return unsigned(v)
	case float32:
		return exchange.Value{Kind: exchange.Float, Float: float64(v)}, nil
	case float64:
		return exchange.Value{Kind: exchange.Float, Float: v}, nil
	case string:
		return exchange.Value{Kind: exchange.String, Bytes: []byte(v)}, nil
	case []byte:
		return exchange.Value{Kind: exchange.String, Bytes: v}, nil
	case time.Time:
		return exchange.Value{Kind: exchange.Timestamp, Int: v.Unix()}, nil
	}
	return exchange.Value{}, fmt.Errorf("a %T cannot travel: use bool, an integer, a float, string, []byte or time.Time", value)
}

// tableOf returns arguments as a table. Of fields with the same name the first one counts.
func tableOf(args []exchange.Arg) Table {
	if len(args) == 0 {
		return nil
	}
	t := make(Table, len(args))
	for _, a := range args {
		if _, ok := t[a.Name]; ok {
			continue
		}
		t[a.Name] = plain(a.Value)
	}
	return t
}

func plain(v exchange.Value) any {
	switch v.Kind {
	case exchange.Bool:
		return v.Bool
	case exchange.Int:
		return v.Int
	case exchange.Float:
		return v.Float
	case exchange.String:
		return string(v.Bytes)
	case exchange.Timestamp:
		return time.Unix(v.Int, 0).UTC()
	case exchange.Other:
		return v.Bytes
	}
	return nil
}
