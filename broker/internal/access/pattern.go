package access

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
)

// pattern is one permission: the names that are allowed.
//
// RabbitMQ looks for the expression anywhere in the name, so "a" allows "bar",
// and takes the empty expression as ^$. Go's expressions are the same where
// both know a construct, with two differences: they read UTF-8 where Erlang
// reads bytes, and they have no look-ahead. As "all but" is what look-ahead is
// used for in permissions, those at the beginning, such as ^(?!amq\.).*, are
// understood: each becomes an expression of its own.
type pattern struct {
	source string
	all    bool // allows every name: nothing to run
	rest   *regexp.Regexp
	ahead  []lookAhead

	// decided remembers names, so that the expression is not run for each
	// message. Replaced as a whole, never changed; two writers may lose one
	// another's name, which is then decided again.
	decided atomic.Pointer[map[string]bool]
}

type lookAhead struct {
	re     *regexp.Regexp
	wanted bool // (?=…), not (?!…)
}

// decidedLimit is how many names a pattern remembers before it starts anew.
const decidedLimit = 64

func compile(source string) (*pattern, error) {
	p := &pattern{source: source, all: source == ".*"}
	rest := source
	if rest == "" {
		rest = "^$"
	}
	if after, ok := strings.CutPrefix(rest, "^"); ok {
		for {
			negative := strings.HasPrefix(after, "(?!")
			if !negative && !strings.HasPrefix(after, "(?=") {
				break
			}
			end := closing(after)
			if end < 0 {
				return nil, errors.New("missing closing )")
			}
			re, err := regexp.Compile("^(?:" + after[len("(?!"):end] + ")")
			if err != nil {
				return nil, err
			}
			p.ahead = append(p.ahead, lookAhead{re: re, wanted: !negative})
			after = after[end+1:]
		}
		if p.ahead != nil {
			if hasAlternatives(after) {
				// It would belong to the first alternative only.
				return nil, errors.New("look-ahead together with | is not supported")
			}
			if after != "" && strings.ContainsRune("*+?{", rune(after[0])) {
				return nil, errors.New("a repeated look-ahead is not supported")
			}
			rest = "^" + after
		}
	}
	var err error
	if p.rest, err = regexp.Compile(rest); err != nil {
		return nil, err
	}
	return p, nil
}

// closing returns where the group at the start of s ends, or -1.
func closing(s string) int {
	for i, depth := range structure(s) {
		if s[i] == ')' && depth == 0 {
			return i
		}
	}
	return -1
}

// hasAlternatives reports whether s has a | outside all groups.
func hasAlternatives(s string) bool {
	for i, depth := range structure(s) {
		if s[i] == '|' && depth == 0 {
			return true
		}
	}
	return false
}

// structure yields the places of an expression's bytes that are neither escaped
// nor in a character class, with the number of groups open after them.
func structure(s string) func(yield func(i, depth int) bool) {
	return func(yield func(int, int) bool) {
		depth, class := 0, -1
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '\\':
				i++
				continue
			case class >= 0:
				// A ] that comes first in a class, or first after ^, is a member.
				if c == ']' && i > class+1 && !(i == class+2 && s[class+1] == '^') {
					class = -1
				}
				continue
			case c == '[':
				class = i
				continue
			case c == '(':
				depth++
			case c == ')':
				depth--
			}
			if !yield(i, depth) {
				return
			}
		}
	}
}

// allows reports whether name matches. It may be called from anywhere.
func (p *pattern) allows(name string) bool {
	if p.all {
		return true
	}
	known := p.decided.Load()
	if known != nil {
		if ok, found := (*known)[name]; found {
			return ok
		}
	}
	ok := p.run(name)
	fresh := map[string]bool{strings.Clone(name): ok}
	if known != nil && len(*known) < decidedLimit {
		for name, ok := range *known {
			fresh[name] = ok
		}
	}
	p.decided.Store(&fresh)
	return ok
}

func (p *pattern) run(name string) bool {
	for _, a := range p.ahead {
		if a.re.MatchString(name) != a.wanted {
			return false
		}
	}
	return p.rest.MatchString(name)
}

// A PatternError says that a permission is not a regular expression that can
// be used.
type PatternError struct {
	Permission Permission
	Pattern    string
	Err        error
}

func (e *PatternError) Error() string {
	return fmt.Sprintf("the %s permission %q is not a usable regular expression: %v", e.Permission, e.Pattern, e.Err)
}

func (e *PatternError) Unwrap() error { return e.Err }
