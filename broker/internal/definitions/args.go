package definitions

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// Args are the arguments of a queue, an exchange, a binding or a policy.
//
// As JSON they are an object with its names in order; of a name that is there twice the first counts. Its values are what
// RabbitMQ writes: floats always have a point, times are seconds since 1970, nothing is "undefined", and a string that is
// not UTF-8 says so and has the base64 of its bytes. RabbitMQ cannot read null, and writes the decimal 3.14 as 2.314; here it
// is a float. Whoever reads the JSON back gets integers for times, and strings for whatever had no other form.
type Args []exchange.Arg

// maxDepth is how deep arrays and objects may nest, as in AMQP 0-9-1 tables.
const maxDepth = 64

// table returns the arguments as an AMQP 0-9-1 field table.
func (a Args) table() wire.Table {
	var t wire.Table
	for _, arg := range a {
		t = wire.AppendField(t, arg.Name, message.FieldValue(arg.Value))
	}
	return t
}

// sorted returns the arguments by name; those of one name keep their order.
func (a Args) sorted() Args {
	byName := func(a, b exchange.Arg) int { return strings.Compare(a.Name, b.Name) }
	if slices.IsSortedFunc(a, byName) {
		return a
	}
	a = slices.Clone(a)
	slices.SortStableFunc(a, byName)
	return a
}

// MarshalJSON returns an object.
func (a Args) MarshalJSON() ([]byte, error) { return appendObject(nil, a.table()), nil }

func appendObject(dst []byte, t wire.Table) []byte {
	type field struct {
		name  []byte
		value wire.Value
	}
	var fields []field
	for name, v := range t.All() {
		fields = append(fields, field{name, v})
	}
	slices.SortStableFunc(fields, func(a, b field) int { return bytes.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for i, f := range fields {
		if i > 0 {
			if bytes.Equal(f.name, fields[i-1].name) {
				continue
			}
			dst = append(dst, ',')
		}
		dst = appendText(dst, f.name)
		dst = append(dst, ':')
		dst = appendJSON(dst, f.value)
	}
	return append(dst, '}')
}

func appendArray(dst []byte, a wire.Array) []byte {
	dst = append(dst, '[')
	first := true
	for v := range a.All() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendJSON(dst, v)
	}
	return append(dst, ']')
}

func appendJSON(dst []byte, v wire.Value) []byte {
	switch v.Kind() {
	case wire.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case wire.KindFloat, wire.KindDouble:
		f, _ := v.Float()
		return appendFloat(dst, f)
	case wire.KindDecimal:
		scale, digits, _ := v.Decimal()
		return appendFloat(dst, float64(digits)/math.Pow10(int(scale)))
	case wire.KindLongstr, wire.KindBytes:
		return appendText(dst, v.Bytes())
	case wire.KindTimestamp:
		t, _ := v.Timestamp()
		return strconv.AppendInt(dst, int64(t), 10)
	case wire.KindTable:
		return appendObject(dst, v.Table())
	case wire.KindArray:
		return appendArray(dst, v.Array())
	}
	if i, ok := v.Int(); ok {
		return strconv.AppendInt(dst, i, 10)
	}
	return append(dst, `"undefined"`...)
}

// appendFloat writes a number that is a float to whoever reads it. JSON knows no infinity; RabbitMQ has none.
func appendFloat(dst []byte, f float64) []byte {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return appendText(dst, []byte(text))
	}
	if !strings.Contains(text, ".") {
		digits, exponent, found := strings.Cut(text, "e")
		if text = digits + ".0"; found {
			text += "e" + exponent
		}
	}
	return append(dst, text...)
}

// appendText writes a string.
func appendText(dst, text []byte) []byte {
	if !utf8.Valid(text) {
		text = append([]byte("Not UTF-8, base64 is: "), base64.StdEncoding.EncodeToString(text)...)
	}
	dst = append(dst, '"')
	for _, r := range string(text) {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r == '\u2028' || r == '\u2029': // the last two end a line in JavaScript
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// UnmarshalJSON takes an object, or null for no arguments.
func (a *Args) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readJSON(d, 0)
	if err != nil {
		return err
	}
	switch v.Kind() {
	case wire.KindTable:
		*a = message.Args(v.Table())
	case wire.KindVoid:
		*a = nil
	default:
		return fmt.Errorf("arguments are an object, not %.40s", data)
	}
	return nil
}

// readJSON reads a value as AMQP 0-9-1 has it.
func readJSON(d *json.Decoder, depth int) (wire.Value, error) {
	token, err := d.Token()
	if err != nil {
		return wire.Value{}, err
	}
	switch v := token.(type) {
	case bool:
		return wire.Bool(v), nil
	case string:
		return wire.Longstr(v), nil
	case json.Number:
		return readNumber(v.String())
	case json.Delim:
		if depth > maxDepth {
			return wire.Value{}, fmt.Errorf("arguments nest deeper than %d", maxDepth)
		}
		if v == '{' {
			return readObject(d, depth)
		}
		return readArray(d, depth)
	}
	return wire.Void(), nil
}

// readNumber tells integers from floats by how they are written.
func readNumber(text string) (wire.Value, error) {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return wire.Value{}, fmt.Errorf("the number %.40s is beyond the range of floats", text)
		}
		return wire.Double(f), nil
	}
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return wire.Value{}, fmt.Errorf("the number %.40s does not fit into 64 bits", text)
	}
	return wire.Int(wire.KindInt64, i), nil
}

func readObject(d *json.Decoder, depth int) (wire.Value, error) {
	var t wire.Table
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return wire.Value{}, err
		}
		text, _ := name.(string) // names of objects are strings, says the decoder
		if len(text) > 255 {
			return wire.Value{}, fmt.Errorf("an argument's name has at most 255 bytes: %.40q…", text)
		}
		v, err := readJSON(d, depth+1)
		if err != nil {
			return wire.Value{}, err
		}
		t = wire.AppendField(t, text, v)
	}
	_, err := d.Token()
	return wire.TableValue(t), err
}

func readArray(d *json.Decoder, depth int) (wire.Value, error) {
	var a wire.Array
	for d.More() {
		v, err := readJSON(d, depth+1)
		if err != nil {
			return wire.Value{}, err
		}
		a = wire.AppendValue(a, v)
	}
	_, err := d.Token()
	return wire.ArrayValue(a), err
}
