package front

import (
	"fmt"
	"strconv"
	"time"
)

// longestName is how long a queue's or exchange's name may be, and a routing key (AMQP 0-9-1 shortstr).
const longestName = 255

// Params reads an endpoint's parameters and remembers the first that makes no sense.
type Params struct {
	Endpoint Endpoint
	err      error
}

// Err returns what was wrong with the first parameter that was, or nil.
func (p *Params) Err() error { return p.err }

// Fail says that a parameter makes no sense, and what it should be.
func (p *Params) Fail(name, want string) {
	if p.err == nil {
		p.err = fmt.Errorf("listener %s: %s=%s makes no sense: it should be %s", p.Endpoint, name, p.Endpoint.Params.Get(name), want)
	}
}

// Text returns a parameter as it stands.
func (p *Params) Text(name, otherwise string) string {
	if p.Endpoint.Params.Has(name) {
		return p.Endpoint.Params.Get(name)
	}
	return otherwise
}

// Name returns the name of a queue or exchange, or a routing key; "" when it is not given.
func (p *Params) Name(name string) string {
	s := p.Endpoint.Params.Get(name)
	if len(s) > longestName {
		p.Fail(name, "255 bytes long at most")
	}
	return s
}

// Required returns a name that must be given; example shows how.
func (p *Params) Required(name, example string) string {
	s := p.Name(name)
	if s == "" && p.err == nil {
		p.err = fmt.Errorf("listener %s: it does not say which %s: add ?%s", p.Endpoint, name, example)
	}
	return s
}

// Flag returns a parameter that is 0 or 1.
func (p *Params) Flag(name string, otherwise bool) bool {
	switch p.Text(name, strconv.FormatBool(otherwise)) {
	case "1", "true":
		return true
	case "0", "false":
		return false
	}
	p.Fail(name, "0 or 1")
	return otherwise
}

// Number returns a parameter from 1 to limit; unit is what it counts.
func (p *Params) Number(name string, otherwise, limit int, unit string) int {
	if !p.Endpoint.Params.Has(name) {
		return otherwise
	}
	n, err := strconv.Atoi(p.Endpoint.Params.Get(name))
	if err != nil || n < 1 || n > limit {
		p.Fail(name, fmt.Sprintf("a number of %s from 1 to %d", unit, limit))
	}
	return n
}

// Duration returns a parameter that is a duration of at least least; want says what it should be.
func (p *Params) Duration(name string, otherwise, least time.Duration, want string) time.Duration {
	if !p.Endpoint.Params.Has(name) {
		return otherwise
	}
	d, err := time.ParseDuration(p.Endpoint.Params.Get(name))
	if err != nil || d < least {
		p.Fail(name, want)
	}
	return d
}
