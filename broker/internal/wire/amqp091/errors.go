package amqp091

import (
	"strconv"
	"unicode/utf8"
)

// Code is a reply code.
type Code uint16

// Level is what an error ends.
type Level uint8

// The levels of an error (AMQP 0-9-1 §1.2: soft and hard).
const (
	LevelConnection Level = iota // the peer must close the connection
	LevelChannel                 // the peer closes the channel; on channel 0 that is the connection
)

// String is c as the specification names it, such as NOT_FOUND, or its number.
func (c Code) String() string {
	if name := c.name(); name != "" {
		return name
	}
	return strconv.Itoa(int(c))
}

// ReplyText is the text that closes with c carry: "NOT_FOUND - explanation", cut to what a shortstr holds.
func (c Code) ReplyText(explanation string) string {
	return cutShortstr(c.String() + " - " + explanation)
}

// Error is a violation of the protocol in the bytes that a peer sent.
type Error struct {
	Code   Code
	Text   string   // the explanation, without the code's name
	Method MethodID // the method that failed; zero: none
}

func (e *Error) Error() string {
	s := "amqp091: " + e.Code.String() + " - " + e.Text
	if e.Method != 0 {
		s += " (" + e.Method.String() + ")"
	}
	return s
}

// cutShortstr cuts s to the 255 octets of a shortstr, at a character.
func cutShortstr(s string) string {
	if len(s) <= maxShortstr {
		return s
	}
	n := maxShortstr
	for n > maxShortstr-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// octets writes b as RabbitMQ's error texts do, <<1,2,3>>, at most limit octets of it.
func octets(b []byte, limit int) string {
	out := []byte("<<")
	for i, c := range b[:min(len(b), limit)] {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendUint(out, uint64(c), 10)
	}
	return string(append(out, ">>"...))
}

// printable writes b as octets does, or as <<"text">> when it is nothing but printable ASCII.
func printable(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return octets(b, len(b))
		}
	}
	if len(b) == 0 {
		return "<<>>"
	}
	return "<<\"" + string(b) + "\">>"
}
