package access

import (
	"bytes"
	"errors"
	"testing"
)

func TestPlainReadsRFC4616(t *testing.T) {
	for _, c := range []struct{ response, user, password, problem string }{
		{"\x00u\x00p", "u", "p", ""},
		{"u\x00u\x00p", "u", "p", ""},
		{"\x00u\x00", "u", "", ""},
		{"\x00ü\x00é", "ü", "é", ""},
		{"other\x00u\x00p", "", "", "the user asks to act as somebody else"},
		{"\x00\x00p", "", "", "no user name"},
		{"u\x00p", "", "", "2 parts between NULs, want 3"},
		{"up", "", "", "1 parts between NULs, want 3"},
		{"\x00u\x00p\x00", "", "", "4 parts between NULs, want 3"},
	} {
		m := Plain()
		challenge, got, err := m.Next([]byte(c.response))
		if c.problem == "" {
			if err != nil || challenge != nil || got.User != c.user || string(got.Password) != c.password {
				t.Errorf("%q: %v %v %v", c.response, challenge, got, err)
			}
			continue
		}
		var malformed *MalformedError
		if !errors.As(err, &malformed) || malformed.Mechanism != "PLAIN" || malformed.Problem != c.problem || got != nil {
			t.Errorf("%q: %v %v", c.response, got, err)
		}
	}
}

func TestPlainAsksOnceWhenNothingCame(t *testing.T) {
	m := Plain()
	if challenge, c, err := m.Next(nil); challenge == nil || len(challenge) != 0 || c != nil || err != nil {
		t.Errorf("got %v %v %v, want an empty challenge", challenge, c, err)
	}
	if _, c, err := m.Next([]byte("\x00u\x00p")); err != nil || c.User != "u" {
		t.Errorf("got %v %v", c, err)
	}
	m = Plain()
	m.Next(nil)
	if _, _, err := m.Next(nil); err == nil {
		t.Error("nothing, twice, is no error")
	}
}

func TestCredentialsDoNotShareTheReadBuffer(t *testing.T) {
	response := []byte("\x00u\x00p")
	_, c, _ := Plain().Next(response)
	clear(response)
	if c.User != "u" || string(c.Password) != "p" {
		t.Errorf("they changed with it: %q %q", c.User, c.Password)
	}
}

func TestAMQPlainTakesWhatTheFrontDecodes(t *testing.T) {
	bad := errors.New("no LOGIN")
	decode := func(response []byte) (login, password []byte, err error) {
		login, password, ok := bytes.Cut(response, []byte("/"))
		if !ok {
			return nil, nil, bad
		}
		return login, password, nil
	}
	if _, c, err := AMQPlain(decode).Next([]byte("u/p")); err != nil || c.User != "u" || string(c.Password) != "p" {
		t.Errorf("got %v %v", c, err)
	}
	m := AMQPlain(decode)
	_, _, err := m.Next([]byte("x"))
	if err == nil || err.Error() != "invalid AMQPLAIN response: no LOGIN" {
		t.Errorf("got %v", err)
	}
	if m.Name() != "AMQPLAIN" || Plain().Name() != "PLAIN" {
		t.Error("the mechanisms' names are wrong")
	}
}

func FuzzPlain(f *testing.F) {
	f.Add([]byte("\x00u\x00p"))
	f.Add([]byte("u\x00u\x00p"))
	f.Add([]byte("\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, response []byte) {
		m := Plain()
		_, c, err := m.Next(response)
		if len(response) == 0 {
			return
		}
		if (c == nil) != (err != nil) {
			t.Fatalf("credentials %v with error %v", c, err)
		}
		if c != nil && !bytes.HasSuffix(response, []byte("\x00"+c.User+"\x00"+string(c.Password))) {
			t.Fatalf("%q became %q and %q", response, c.User, c.Password)
		}
	})
}

// FuzzPattern: whatever an administrator sets is compiled or refused, and what
// starts with "all but" is the opposite of what it excludes.
func FuzzPattern(f *testing.F) {
	f.Add("amq\\.", "amq.topic")
	f.Add("a|b", "b")
	f.Add("[)]", ")")
	f.Add("(", "x")
	f.Fuzz(func(t *testing.T, excluded, name string) {
		if len(excluded) > 100 || len(name) > 255 {
			t.Skip("longer than names are")
		}
		without, err := compile("^(?!" + excluded + ")")
		if err != nil {
			return
		}
		with, err := compile("^(?:" + excluded + ")")
		if err != nil {
			return // it closed its group: "a)|(b"
		}
		if len(without.ahead) == 1 && without.rest.String() == "^" && with.ahead == nil && without.allows(name) == with.allows(name) {
			t.Fatalf("%q is both in and out of %q", name, excluded)
		}
	})
}
