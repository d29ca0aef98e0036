package arch

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/txtar"
)

// root of the module, seen from the folder that tests run in.
const moduleRoot = "../.."

// std is read once for all tests: it is most of their time.
var std = sync.OnceValue(standardLibrary)

func TestTheHouseStandsByItsPlan(t *testing.T) {
	found, err := check(os.DirFS(moduleRoot), Warren, std())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

func TestEveryRoomOfThePlanIsBuiltOrMarkedAsPlanned(t *testing.T) {
	house, err := read(os.DirFS(moduleRoot))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Warren.Rooms {
		built := slices.ContainsFunc(house.paths(), func(folder string) bool { return match(r.Folder, folder) })
		switch {
		case !built && !r.Planned:
			t.Errorf("no folder is %s: strike the room from internal/arch/warren.go", r.Folder)
		case built && r.Planned:
			t.Errorf("%s is built: strike its Planned from internal/arch/warren.go", r.Folder)
		}
	}
}

func TestThePlanObeysTheLaws(t *testing.T) {
	house, err := read(os.DirFS(moduleRoot))
	if err != nil {
		t.Fatal(err)
	}
	for _, breach := range Warren.lawless(house.paths()) {
		t.Error(breach)
	}
}

func TestAPlanAgainstTheLawsIsReported(t *testing.T) {
	folders := []string{
		"zmq", "zmq/internal/zmtp", "broker", "cmd/warren", "load/amqp", "broker/internal/engine", "broker/internal/queue",
		"broker/internal/storage", "broker/internal/front/zmq", "broker/internal/front/socket", "broker/internal/wire/amqp091",
	}
	for _, tc := range []struct{ from, to, law string }{
		{"zmq", "broker", "law 5"},
		{"broker", "load/amqp", "stand on it"},
		{"broker/internal/front/zmq", "zmq/internal/zmtp", "law 5"},
		{"cmd/warren", "broker/internal/engine", "law 5"},
		{"broker/internal/engine", "broker/internal/wire/amqp091", "law 2"},
		{"broker/internal/engine", "broker/internal/front/socket", "law 2"},
		{"broker/internal/storage", "broker/internal/queue", "law 3"},
		{"broker/internal/front/zmq", "broker/internal/front/socket", "law 2"},
		{"broker/internal/queue", "broker/internal/engine", "law 1"},
	} {
		bad := Plan{Rooms: []Room{
			{Folder: tc.from, May: []string{tc.to}, Pure: tc.from == "broker/internal/queue"},
			{Folder: "..."},
		}}
		got := strings.Join(bad.lawless(folders), "\n")
		if !strings.Contains(got, tc.from) || !strings.Contains(got, tc.law) {
			t.Errorf("%s → %s: reported %q, want the breach of %s", tc.from, tc.to, got, tc.law)
		}
	}
}

// Each fixture is a small module laid out by the plan of the real one. A line that breaks a rule ends with "// want RULE", or
// has a line below it that says "// want^ RULE".
func TestEveryPlantedViolationIsReportedAndNothingElse(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	planted := make(map[string]bool)
	for _, name := range fixtures {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			house, err := txtar.FS(archive)
			if err != nil {
				t.Fatal(err)
			}
			got, err := check(house, Warren, std())
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range wants(t, archive) {
				planted[w.Rule] = true
				i := slices.IndexFunc(got, func(v Violation) bool {
					return v.Rule == w.Rule && v.Pos.Filename == w.Pos.Filename && v.Pos.Line == w.Pos.Line
				})
				if i < 0 {
					t.Errorf("not reported: %s:%d: %s", w.Pos.Filename, w.Pos.Line, w.Rule)
					continue
				}
				got = slices.Delete(got, i, i+1)
			}
			for _, v := range got {
				t.Errorf("reported, and not planted: %s", v)
			}
		})
	}
	for _, rule := range documentedRules(t) {
		if !planted[rule] {
			t.Errorf("no fixture breaks the rule %q", rule)
		}
		delete(planted, rule)
	}
	for _, rule := range slices.Sorted(maps.Keys(planted)) {
		t.Errorf("doc.go does not name the rule %q", rule)
	}
}

// wants reads the "// want" comments of an archive.
func wants(t *testing.T, archive *txtar.Archive) []Violation {
	var out []Violation
	for _, f := range archive.Files {
		fset := token.NewFileSet()
		var s scanner.Scanner
		s.Init(fset.AddFile(f.Name, -1, len(f.Data)), f.Data, func(pos token.Position, msg string) { t.Fatalf("%s: %s", pos, msg) }, scanner.ScanComments)
		for {
			pos, tok, lit := s.Scan()
			if tok == token.EOF {
				break
			}
			at := fset.Position(pos)
			rules, ok := strings.CutPrefix(lit, "// want ")
			if above, up := strings.CutPrefix(lit, "// want^ "); up {
				at.Line--
				rules, ok = above, true
			}
			if tok != token.COMMENT || !ok {
				continue
			}
			for rule := range strings.FieldsSeq(rules) {
				out = append(out, Violation{Pos: at, Rule: rule})
			}
		}
	}
	return out
}

// documentedRules are the rules that the package's documentation lists.
func documentedRules(t *testing.T) []string {
	doc, err := fs.ReadFile(os.DirFS("."), "doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z]+)  `).FindAllSubmatch(doc, -1) {
		out = append(out, string(m[1]))
	}
	return out
}

func TestASourceThatDoesNotParseIsAnError(t *testing.T) {
	house, err := txtar.FS(txtar.Parse([]byte("-- zmq/zmq.go --\npackage zmq\n\nfunc {\n")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Check(house, Warren); err == nil || !strings.Contains(err.Error(), "zmq/zmq.go:3") {
		t.Errorf("error %v, want one that points at zmq/zmq.go:3", err)
	}
}

func TestPatternsNameFoldersByElement(t *testing.T) {
	for _, tc := range []struct {
		pattern, folder string
		want            bool
	}{
		{"zmq", "zmq", true},
		{"zmq", "zmq/internal", false},
		{"zmq", "zmqtest", false},
		{"zmq/...", "zmq", true},
		{"zmq/...", "zmq/internal/zmtp", true},
		{"zmq/...", "zmqtest", false},
		{"wire/*/gen", "wire/mqtt/gen", true},
		{"wire/*/gen", "wire/gen", false},
		{"wire/*/gen", "wire/a/b/gen", false},
		{"...", "anything/at/all", true},
	} {
		if got := match(tc.pattern, tc.folder); got != tc.want {
			t.Errorf("match(%q, %q) = %t, want %t", tc.pattern, tc.folder, got, tc.want)
		}
	}
}
