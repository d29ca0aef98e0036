package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sample() *Report {
	r := New("Test <1>", "base", 3)
	for i := range 3 {
		// The machine slows down by half from round to round; the ratio stays.
		slow := float64(int(1) << i)
		r.Add("fast", "about it", Rate, "base", Sample{Rate: 1000 / slow})
		r.Add("fast", "about it", Rate, "mine", Sample{Rate: 4000 / slow, CPU: 0.25})
		r.Add("quick", "about it", P50, "base", Sample{P50: 100 * slow})
		r.Add("quick", "about it", P50, "mine", Sample{P50: 50 * slow, Lost: 3})
		r.Add("quick", "about it", P50, "none", Sample{Failed: "it\nbroke"})
	}
	return r
}

func TestRatiosAreOfOneRoundAndAboveOneIsBetter(t *testing.T) {
	for i, want := range []float64{4, 2} {
		s := sample().Scenarios[i]
		got := s.Ratio(s.peer("mine"), s.peer("base"))
		if got != (Spread{want, want, want, 3}) {
			t.Errorf("%s: %+v, want %g in every round", s.Name, got, want)
		}
	}
	s := sample().Scenarios[1]
	if got := s.Ratio(s.peer("none"), s.peer("base")); got.N != 0 {
		t.Errorf("rounds that failed have a ratio: %+v", got)
	}
}

func TestMedians(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}},
		{[]float64{0, 5}, Spread{5, 5, 5, 1}},
		{[]float64{9, 1, 5}, Spread{5, 1, 9, 3}},
		{[]float64{4, 1, 2, 9}, Spread{3, 1, 9, 4}},
	} {
		if got := NewSpread(test.values); got != test.want {
			t.Errorf("%v: %+v, want %+v", test.values, got, test.want)
		}
	}
}

func TestTheTableTellsWhatWasLostAndWhatFailed(t *testing.T) {
	var b strings.Builder
	r := sample()
	r.Skipped = []string{"other: not installed"}
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4.00× [4.00×–4.00×]", "9 lost", "3 failed: it\n", "skipped: other: not installed"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestWhatIsSavedCanBeRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if err := sample().Save(dir, "x"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "x.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil || len(r.Scenarios) != 2 || r.Scenarios[0].Peers[1].Samples[0].Rate != 4000 {
		t.Errorf("%+v, %v", r, err)
	}
	svg, err := os.Open(filepath.Join(dir, "x.svg"))
	if err != nil {
		t.Fatal(err)
	}
	defer svg.Close()
	dots := 0
	for d := xml.NewDecoder(svg); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			dots++
		}
	}
	if dots != 4 {
		t.Errorf("%d dots for four peers with figures", dots)
	}
}

func TestTheTableHasTheColumnsThatThereAreFiguresFor(t *testing.T) {
	var b strings.Builder
	r := New("Test", "base", 1)
	r.Add("restart", "about it", Seconds, "base", Sample{Seconds: 10})
	r.Add("restart", "about it", Seconds, "mine", Sample{Seconds: 0.05, Resident: 20e6})
	r.Notes = []string{"and this"}
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"seconds", "RSS MB", "20.0", "0.050", "200×", "and this\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for _, want := range []string{"per second", "p50", "written/byte", "cores"} {
		if strings.Contains(b.String(), want) {
			t.Errorf("a column %q without figures in\n%s", want, b.String())
		}
	}
}

func TestCurvesHaveADotForEachPointAboveZero(t *testing.T) {
	c := Curves{Title: "<1>", Across: "messages", Panels: []CurvePanel{
		{Up: "per second", Lines: []Line{{Name: "a & b", Points: []Point{{1e5, 3e5}, {1e6, 2e5}, {1e7, 0}}}}},
		{Up: "bytes", Lines: []Line{{Name: "a & b", Points: []Point{{1e5, 50e6}}}, {Name: "none"}}},
	}}
	seen := map[string]int{}
	for d := xml.NewDecoder(strings.NewReader(string(c.SVG()))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			seen[e.Name.Local]++
		}
	}
	if seen["circle"] != 3 || seen["polyline"] != 3 {
		t.Errorf("%d dots and %d lines, want 3 and 3", seen["circle"], seen["polyline"])
	}
}
