package front

import (
	"strings"
	"testing"
	"time"
)

func TestAnEndpointIsTakenApartAndPutTogether(t *testing.T) {
	for text, want := range map[string]Endpoint{
		"amqp://127.0.0.1:5672":                    {Scheme: "amqp", Address: "127.0.0.1:5672"},
		"amqp://127.0.0.1:5672/":                   {Scheme: "amqp", Address: "127.0.0.1:5672"},
		"room+tcp://[::1]:7000?exchange=lobby":     {Scheme: "room+tcp", Address: "[::1]:7000"},
		"echo+unix:///run/echo.sock?idle=5s":       {Scheme: "echo+unix", Address: "/run/echo.sock"},
		"zmq+pub+ipc://@news?exchange=a%26b&hwm=1": {Scheme: "zmq+pub+ipc", Address: "@news"},
	} {
		e, err := ParseEndpoint(text)
		if err != nil || e.Scheme != want.Scheme || e.Address != want.Address {
			t.Errorf("%s: %+v, %v", text, e, err)
		}
		if again, err := ParseEndpoint(e.String()); err != nil || again.String() != e.String() {
			t.Errorf("%s became %s and then %s, %v", text, e, again, err)
		}
	}
}

func TestWhatIsNoEndpointIsRefusedWithAnExample(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "it should read like amqp://127.0.0.1:5672",
		"127.0.0.1:5672":   "it should read like amqp://127.0.0.1:5672",
		"://x":             "it should read like amqp://127.0.0.1:5672",
		"amqp://":          "it does not say where",
		"amqp://?x=1":      "it does not say where",
		"amqp://h:1?a=%zz": "what follows the ? is no query",
	} {
		if _, err := ParseEndpoint(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, which does not say %q", text, err, want)
		}
	}
}

func TestAParameterThatNobodyKnowsIsRefusedByName(t *testing.T) {
	e, err := ParseEndpoint("room+tcp://h:1?exchange=x&excange=y")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Known("exchange", "idle"); err == nil || !strings.Contains(err.Error(), `there is no parameter "excange": room+tcp knows exchange, idle`) {
		t.Error(err)
	}
	if err := e.Known(); err == nil || !strings.HasSuffix(err.Error(), "takes none") {
		t.Error(err)
	}
	if err := e.Known("exchange", "excange"); err != nil {
		t.Error(err)
	}
}

func TestParametersAreReadAndTheFirstFaultIsKept(t *testing.T) {
	e, err := ParseEndpoint("x://h:1?flag=1&number=7&wait=90s&name=jobs&far=300")
	if err != nil {
		t.Fatal(err)
	}
	p := Params{Endpoint: e}
	if !p.Flag("flag", false) || !p.Flag("absent", true) || p.Number("number", 1, 10, "things") != 7 || p.Number("absent", 3, 10, "things") != 3 ||
		p.Duration("wait", 0, 0, "") != 90*time.Second || p.Name("name") != "jobs" || p.Required("name", "") != "jobs" ||
		p.Text("absent", "otherwise") != "otherwise" || p.Err() != nil {
		t.Error(p.Err())
	}
	p.Number("far", 1, 10, "things")
	p.Flag("name", false)
	want := "listener " + e.String() + ": far=300 makes no sense: it should be a number of things from 1 to 10"
	if p.Err() == nil || p.Err().Error() != want {
		t.Errorf("%v\nshould be %s", p.Err(), want)
	}
	for want, fault := range map[string]func(*Params){
		"it does not say which queue: add ?queue=jobs":  func(p *Params) { p.Required("queue", "queue=jobs") },
		"name=jobs makes no sense: it should be 0 or 1": func(p *Params) { p.Flag("name", true) },
		"wait=90s makes no sense: it should be longer":  func(p *Params) { p.Duration("wait", 0, time.Hour, "longer") },
	} {
		p := Params{Endpoint: e}
		if fault(&p); p.Err() == nil || !strings.Contains(p.Err().Error(), want) {
			t.Errorf("%v, which does not say %q", p.Err(), want)
		}
	}
}
