package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"go/types"
	"io/fs"
	"slices"
	"strings"
)

// A Violation is one line of source that breaks the plan.
type Violation struct {
	Pos     token.Position
	Rule    string // one of those in the package's documentation
	Message string // what is wrong and where to turn
}

func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", v.Pos.Filename, v.Pos.Line, v.Rule, v.Message)
}

// Check holds the module whose root is fsys against the plan and gives the violations in the order of files and lines.
// The error says that the source could not be read or parsed.
func Check(fsys fs.FS, p Plan) ([]Violation, error) {
	return check(fsys, p, standardLibrary())
}

// check is Check with an importer of the standard library, which remembers what it has read.
func check(fsys fs.FS, p Plan, std types.Importer) ([]Violation, error) {
	t, err := read(fsys)
	if err != nil {
		return nil, err
	}
	c := &checker{plan: p, tree: t, types: newTypeChecker(p, t, std)}
	for _, d := range t.folders {
		c.folder(d)
	}
	slices.SortStableFunc(c.found, func(a, b Violation) int {
		if n := strings.Compare(a.Pos.Filename, b.Pos.Filename); n != 0 {
			return n
		}
		return a.Pos.Line - b.Pos.Line
	})
	return c.found, nil
}

type checker struct {
	plan  Plan
	tree  *tree
	types *typeChecker
	found []Violation
}

func (c *checker) report(pos token.Pos, rule, message string, args ...any) {
	c.found = append(c.found, Violation{c.tree.fset.Position(pos), rule, fmt.Sprintf(message, args...)})
}

func (c *checker) folder(d *folder) {
	room, ok := c.plan.room(d.path)
	if !ok {
		c.report(d.files[0].syntax.Package, "plan", "no room of the plan holds %s: add it to internal/arch/warren.go with what it may import", d.path)
		return
	}
	for _, f := range d.files {
		c.format(f)
		c.imports(d, room, f)
		c.uses(room, f)
		if f.test {
			continue
		}
		if room.Pure {
			c.channels(f)
		}
		if !room.Program {
			c.inits(f)
		}
	}
	if room.Program {
		return
	}
	pkg := c.types.check(d, room.Pure)
	c.globals(d, room, pkg)
	if room.Pure {
		c.order(d, pkg)
	}
}

// format compares a file with what gofmt makes of it and points at the first line that differs.
func (c *checker) format(f *file) {
	want, err := format.Source(f.src)
	if err != nil || bytes.Equal(want, f.src) {
		return
	}
	same := 0
	for same < len(want) && same < len(f.src) && want[same] == f.src[same] {
		same++
	}
	at := c.tree.fset.File(f.syntax.FileStart)
	c.report(at.Pos(min(same, at.Size())), "gofmt", "not as gofmt writes it: run gofmt -w %s", f.name)
}

// impure are the packages, with all below them, that have no place in a pure room.
var impure = []string{"net", "os", "sync", "context", "log", "math/rand", "crypto/rand", "syscall", "runtime", "io/ioutil", "flag"}

func (c *checker) imports(d *folder, room Room, f *file) {
	for _, im := range f.imports {
		if im.name == "." {
			c.report(im.pos, "import", "a dot import hides where names come from, from readers and from this test")
		}
		if to, ok := c.plan.folder(im.path); ok {
			c.edge(d, room, f, im, to)
			continue
		}
		if !isStandard(im.path) {
			c.module(room, f, im)
			continue
		}
		if room.Pure && !f.test && hasPrefix(impure, im.path) {
			c.report(im.pos, "pure", "%s is a pure room (law 1) and may not import %q: take bytes, values and the time as arguments, give effects back", d.path, im.path)
		}
	}
}

// edge judges an import of another package of this module.
func (c *checker) edge(d *folder, room Room, f *file, im imported, to string) {
	for _, n := range c.tree.nested {
		if match(n+"/...", to) {
			c.report(im.pos, "import", "%s is a module of its own, which stands on this one", n)
			return
		}
	}
	if to == d.path && f.test || room.may(to, f.test) {
		return
	}
	why := "the plan in internal/arch/warren.go does not allow it"
	for _, l := range laws {
		if l.from(d.path) && l.to(to) {
			why = l.why
		}
	}
	if a, b := front(d.path), front(to); a != "" && b != "" {
		why = "fronts do not know one another (law 2)"
	}
	c.report(im.pos, "import", "%s may not import %s: %s", d.path, to, why)
}

// module judges an import of a third-party module.
func (c *checker) module(room Room, f *file, im imported) {
	switch {
	case hasPrefix(room.Modules, im.path):
	case hasPrefix(c.plan.TestModules, im.path):
		if !f.test {
			c.report(im.pos, "module", "%s serves tests: only _test.go files may import it", im.path)
		}
	default:
		c.report(im.pos, "module", "the room %s may not import %s: add the module to its line in internal/arch/warren.go, and the reason to docs/decisions/0004-libraries.md", room.Folder, im.path)
	}
}

// isStandard reports whether importPath is of the standard library: no other has a first element without a dot.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// hasPrefix reports whether importPath is one of the given paths or below one.
func hasPrefix(paths []string, importPath string) bool {
	for _, p := range paths {
		if importPath == p || strings.HasPrefix(importPath, p+"/") {
			return true
		}
	}
	return false
}

// A ban names what a package offers and some rooms may not use.
type ban struct {
	rule  string
	path  string
	names []string // a name that ends in "*" stands for all that begin so
	holds func(Room, *file) bool
	why   string
}

var bans = []ban{
	{"clock", "time", []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation"},
		inPure, "a pure room is told the time (law 1)"},
	{"exit", "os", []string{"Exit"}, inLibrary, "a library never ends the process: return an error"},
	{"exit", "os/signal", []string{"*"}, inLibrary, "a library catches no signals: the command does, and cancels a context"},
	{"exit", "log", []string{"Fatal*", "Panic*"}, inLibrary, "a library never ends the process: return an error"},
	{"log", "log", []string{"Print*", "Output", "Default", "SetOutput", "SetFlags", "SetPrefix"}, inLibrary, "a library logs through the *slog.Logger that it was given"},
	{"log", "log/slog", []string{"Default", "SetDefault", "Log", "LogAttrs", "Debug*", "Info*", "Warn*", "Error*", "With"}, inLibrary, "a library logs through the *slog.Logger that it was given"},
	{"log", "fmt", []string{"Print*"}, inLibrary, "a library prints nothing: write to an io.Writer that the caller gave"},
	{"log", "os", []string{"Stdout", "Stderr"}, inLibrary, "a library prints nothing: write to an io.Writer that the caller gave"},
	{"sleep", "time", []string{"Sleep"}, inRealTimeTest, "wait for an event, or run the test under testing/synctest"},
}

func inPure(r Room, f *file) bool    { return r.Pure && !f.test }
func inLibrary(r Room, f *file) bool { return !r.Program && !f.test }
func inRealTimeTest(_ Room, f *file) bool {
	return f.test && !slices.ContainsFunc(f.imports, func(im imported) bool { return im.path == "testing/synctest" })
}

// uses looks for names that the room may not mention. A mention is enough: a function can be called later by another name.
func (c *checker) uses(room Room, f *file) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		importPath, name, ok := f.selects(sel)
		if !ok {
			return true
		}
		for _, b := range bans {
			if b.path == importPath && b.holds(room, f) && slices.ContainsFunc(b.names, func(n string) bool { return called(n, name) }) {
				c.report(sel.Pos(), b.rule, "%s.%s: %s", importPath, name, b.why)
				break
			}
		}
		return true
	})
}

func called(pattern, name string) bool {
	if stem, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, stem) && ast.IsExported(name)
	}
	return pattern == name
}

// channels rejects what only makes sense with a second goroutine. Channel types are enough: whoever has none can neither send nor receive.
func (c *checker) channels(f *file) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.report(n.Pos(), "chan", "a pure room starts no goroutine: give an effect back (law 1)")
		case *ast.ChanType:
			c.report(n.Pos(), "chan", "a pure room has no channels: give an effect back (law 1)")
		}
		return true
	})
}

func (c *checker) inits(f *file) {
	if ast.IsGenerated(f.syntax) {
		return
	}
	for _, decl := range f.syntax.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			c.report(fn.Pos(), "init", "a library fills no registry when it is linked: hand the value to whoever needs it")
		}
	}
}
