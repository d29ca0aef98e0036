package access

import (
	"bytes"
	"fmt"
)

// A Mechanism is one run of a SASL mechanism (RFC 4422) on the server's side.
// It reads who the client claims to be; whether that is true is decided with
// the credentials it returns. It belongs to one goroutine.
type Mechanism interface {
	// Name is the mechanism's registered name.
	Name() string
	// Next takes what the client sent: with the choice of the mechanism, where
	// empty means that nothing came, and then in answer to each challenge. It
	// returns either credentials, and the run is over, or a challenge that may
	// be empty. The error is a [MalformedError] and ends the run. Nothing of
	// response is kept or returned.
	Next(response []byte) (challenge []byte, c *Credentials, err error)
}

// Credentials are what a client claims.
type Credentials struct {
	User     string
	Password []byte
}

// A MalformedError says that a response is not one of the mechanism. Its text
// never holds the response, which may hold a password.
type MalformedError struct{ Mechanism, Problem string }

func (e *MalformedError) Error() string {
	return fmt.Sprintf("invalid %s response: %s", e.Mechanism, e.Problem)
}

// Plain returns the mechanism PLAIN (RFC 4616): the one response is
//
//	[authzid] NUL user NUL password
//
// An authzid, which asks to act as somebody, must be the user.
func Plain() Mechanism { return &single{name: "PLAIN", parse: parsePlain} }

// AMQPlain returns the mechanism AMQPLAIN of AMQP 0-9-1's predecessors: the one
// response is a field table with the strings LOGIN and PASSWORD. The table is
// the protocol's, so its front brings decode; an error of it becomes the
// problem of the [MalformedError].
func AMQPlain(decode func(response []byte) (login, password []byte, err error)) Mechanism {
	return &single{name: "AMQPLAIN", parse: func(response []byte) (*Credentials, string) {
		login, password, err := decode(response)
		if err != nil {
			return nil, err.Error()
		}
		return &Credentials{User: string(login), Password: bytes.Clone(password)}, ""
	}}
}

// single is a mechanism of one response, which the client may keep back until
// it is asked by an empty challenge (RFC 4422 §3.3).
type single struct {
	name  string
	parse func(response []byte) (c *Credentials, problem string)
	asked bool
}

func (m *single) Name() string { return m.name }

func (m *single) Next(response []byte) ([]byte, *Credentials, error) {
	if len(response) == 0 && !m.asked {
		m.asked = true
		return []byte{}, nil, nil
	}
	m.asked = true
	c, problem := m.parse(response)
	if c == nil {
		return nil, nil, &MalformedError{Mechanism: m.name, Problem: problem}
	}
	return nil, c, nil
}

func parsePlain(response []byte) (*Credentials, string) {
	parts := bytes.Split(response, []byte{0})
	if len(parts) != 3 {
		return nil, fmt.Sprintf("%d parts between NULs, want 3", len(parts))
	}
	authzid, user, password := parts[0], parts[1], parts[2]
	if len(user) == 0 {
		return nil, "no user name"
	}
	if len(authzid) > 0 && !bytes.Equal(authzid, user) {
		return nil, "the user asks to act as somebody else"
	}
	return &Credentials{User: string(user), Password: bytes.Clone(password)}, ""
}
