package transport

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestEndpointsAreCheckedBeforeTheSystemIsAsked(t *testing.T) {
	abstract := error(nil)
	if runtime.GOOS != "linux" {
		abstract = ErrScheme
	}
	for _, test := range []struct {
		endpoint    string
		parse, dial error
	}{
		{"tcp://127.0.0.1:5555", nil, nil},
		{"tcp://[::1]:5555", nil, nil},
		{"tcp://example.org:5555", nil, nil},
		{"tcp://10.0.0.7:0;example.org:5555", nil, nil},
		{"tcp://*:5555", nil, ErrSyntax},
		{"tcp://eth0:*", nil, ErrSyntax},
		{"tcp://127.0.0.1:0", nil, ErrSyntax},
		{"ipc:///run/app.sock", nil, nil},
		{"ipc://@app", abstract, nil},
		{"ipc://*", nil, ErrSyntax},
		{"inproc://any name: at all", nil, nil},
		{"tcp://;", ErrSyntax, nil},
		{"tcp://;1.2.3.4", ErrSyntax, nil},
		{"tcp://bad;1.2.3.4:1", ErrSyntax, nil},
		{"tcp://::1:5555", ErrSyntax, nil},
		{"tcp://host:-1", ErrSyntax, nil},
		{"tcp://host:65536", ErrSyntax, nil},
		{"tcp://:5555", ErrSyntax, nil},
		{"tcp://", ErrSyntax, nil},
		{"inproc://", ErrSyntax, nil},
		{"ipc://a\x00b", ErrSyntax, nil},
		{"ipc://" + strings.Repeat("x", 104), ErrSyntax, nil},
		{"127.0.0.1:5555", ErrSyntax, nil},
		{"", ErrSyntax, nil},
		{"pgm://eth0;239.192.1.1:5555", ErrScheme, nil},
	} {
		e, err := Parse(test.endpoint)
		if !errors.Is(err, test.parse) {
			t.Errorf("Parse(%q): error %v, want %v", test.endpoint, err, test.parse)
		}
		if err != nil {
			continue
		}
		if e.String() != test.endpoint {
			t.Errorf("%q became %q", test.endpoint, e)
		}
		if err := e.Dialable(); !errors.Is(err, test.dial) {
			t.Errorf("%q, to be dialed: error %v, want %v", test.endpoint, err, test.dial)
		}
	}
}
