// Package protocolgen turns the table of AMQP 0-9-1 (protocol.txt, one folder up) into the codec's generated files.
//
// It is a function from text to text. Its test compares what it returns with what is committed, and `go generate` is that
// test with -rewrite.
package protocolgen

import (
	"fmt"
	"go/format"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// protocol is the parsed table.
type protocol struct {
	codes   []code
	classes []*class
	domains map[string]string
}

type code struct {
	number int
	name   string // as the specification writes it: NOT_FOUND
	level  string // channel or connection
}

type class struct {
	number     int
	name       string
	properties []field
	methods    []*method
}

type method struct {
	number  int
	name    string
	class   *class
	sender  string // client, server or both
	content bool
	views   bool
	replies []string
	fields  []field
}

type field struct {
	name     string
	wire     string // a wire type, domains resolved
	reserved bool
}

// Generate parses table and returns the generated files, name to source.
func Generate(table string) (map[string][]byte, error) {
	p, err := parse(table)
	if err != nil {
		return nil, err
	}
	sources := map[string]string{
		"codes_gen.go":      emitCodes(p),
		"methods_gen.go":    emitMethods(p),
		"properties_gen.go": emitProperties(p),
	}
	for _, c := range p.classes {
		sources[c.name+"_gen.go"] = emitClass(c)
	}
	files := make(map[string][]byte, len(sources))
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		src, err := format.Source([]byte(preamble + sources[name]))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = src
	}
	return files, nil
}

const preamble = "// Code generated from protocol.txt by protocolgen; DO NOT EDIT.\n\npackage amqp091\n\n"

var wireTypes = map[string]bool{
	"bit": true, "octet": true, "short": true, "long": true, "longlong": true,
	"shortstr": true, "longstr": true, "timestamp": true, "table": true,
}

func parse(table string) (*protocol, error) {
	p := &protocol{domains: map[string]string{}}
	for i, line := range strings.Split(table, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := p.line(words); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return p, nil
}

// line adds one line of the table.
func (p *protocol) line(w []string) error {
	if len(w) < 3 {
		return fmt.Errorf("%q needs at least two arguments", w[0])
	}
	switch w[0] {
	case "code":
		n, err := strconv.Atoi(w[1])
		if err != nil || len(w) != 4 || w[3] != "channel" && w[3] != "connection" {
			return fmt.Errorf("want: code NUMBER NAME channel|connection")
		}
		p.codes = append(p.codes, code{n, w[2], w[3]})
	case "domain":
		if !wireTypes[w[2]] {
			return fmt.Errorf("domain %s: %q is no wire type", w[1], w[2])
		}
		p.domains[w[1]] = w[2]
	case "class":
		n, err := strconv.Atoi(w[1])
		if err != nil {
			return err
		}
		p.classes = append(p.classes, &class{number: n, name: w[2]})
	case "property", "field", "reserved":
		return p.field(w)
	case "method":
		return p.method(w)
	default:
		return fmt.Errorf("unknown word %q", w[0])
	}
	return nil
}

func (p *protocol) method(w []string) error {
	n, err := strconv.Atoi(w[1])
	if err != nil {
		return err
	}
	if len(p.classes) == 0 || len(w) < 4 {
		return fmt.Errorf("want: method NUMBER NAME client|server|both, inside a class")
	}
	c := p.classes[len(p.classes)-1]
	m := &method{number: n, name: w[2], class: c, sender: w[3]}
	for _, word := range w[4:] {
		replies, isReplies := strings.CutPrefix(word, "replies=")
		switch {
		case isReplies:
			m.replies = strings.Split(replies, ",")
		case word == "content":
			m.content = true
		case word == "views":
			m.views = true
		default:
			return fmt.Errorf("method %s.%s: unknown word %q", c.name, m.name, word)
		}
	}
	c.methods = append(c.methods, m)
	return nil
}

func (p *protocol) field(w []string) error {
	wire := w[2]
	if d, ok := p.domains[wire]; ok {
		wire = d
	}
	if !wireTypes[wire] {
		return fmt.Errorf("%s %s: unknown domain %q", w[0], w[1], w[2])
	}
	if len(p.classes) == 0 {
		return fmt.Errorf("%s outside a class", w[0])
	}
	c := p.classes[len(p.classes)-1]
	f := field{name: w[1], wire: wire, reserved: w[0] == "reserved"}
	if w[0] == "property" {
		c.properties = append(c.properties, f)
		return nil
	}
	if len(c.methods) == 0 {
		return fmt.Errorf("%s outside a method", w[0])
	}
	m := c.methods[len(c.methods)-1]
	m.fields = append(m.fields, f)
	return nil
}

// camel turns no-wait or NOT_FOUND into NoWait or NotFound.
func camel(name string) string {
	var b strings.Builder
	for _, part := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '-' || r == '_' }) {
		if part == "id" {
			b.WriteString("ID")
			continue
		}
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

func (m *method) goName() string { return camel(m.class.name) + camel(m.name) }

func (m *method) wireName() string { return m.class.name + "." + m.name }
