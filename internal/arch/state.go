package arch

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// globals rejects state at package level: a variable that some function assigns to, and one that holds a lock or an atomic.
func (c *checker) globals(d *folder, room Room, pkg *checked) {
	for _, f := range d.files {
		if f.test {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch decl := decl.(type) {
			case *ast.GenDecl:
				c.locks(decl, room, pkg)
			case *ast.FuncDecl:
				if decl.Body != nil {
					c.writes(decl.Body, room, pkg)
				}
			}
		}
	}
}

func (c *checker) locks(decl *ast.GenDecl, room Room, pkg *checked) {
	if decl.Tok != token.VAR {
		return
	}
	for _, spec := range decl.Specs {
		for _, name := range spec.(*ast.ValueSpec).Names {
			if v := pkg.info.Defs[name]; v != nil && holdsLock(v.Type(), nil) && !slices.Contains(room.Globals, name.Name) {
				c.report(name.Pos(), "global", "%s is shared state at package level: two brokers in one process must not meet in it; make it a field", name.Name)
			}
		}
	}
}

// holdsLock reports whether a value of type t has, or points to, one of the shared types.
func holdsLock(t types.Type, seen []types.Type) bool {
	if slices.Contains(seen, t) {
		return false
	}
	seen = append(seen, t)
	switch t := types.Unalias(t).(type) {
	case *types.Pointer:
		return holdsLock(t.Elem(), seen)
	case *types.Array:
		return holdsLock(t.Elem(), seen)
	case *types.Named:
		if p := t.Obj().Pkg(); p != nil && slices.Contains(shared[p.Path()], t.Obj().Name()) {
			return true
		}
		return holdsLock(t.Underlying(), seen)
	case *types.Struct:
		for f := range t.Fields() {
			if holdsLock(f.Type(), seen) {
				return true
			}
		}
	}
	return false
}

func (c *checker) writes(body *ast.BlockStmt, room Room, pkg *checked) {
	check := func(e ast.Expr) {
		if id := root(e); id != nil && !c.local(id, pkg) && !slices.Contains(room.Globals, id.Name) {
			c.report(e.Pos(), "global", "%s is a package-level variable and is changed here: libraries have no globals; make it a field or an argument", id.Name)
		}
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					check(e)
				}
			}
		case *ast.IncDecStmt:
			check(n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				check(n.Key)
				if n.Value != nil {
					check(n.Value)
				}
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear") && len(n.Args) > 0 {
				check(n.Args[0])
			}
		}
		return true
	})
}

// local reports whether id is anything but a package-level variable of this package or a name of another package.
func (c *checker) local(id *ast.Ident, pkg *checked) bool {
	switch obj := pkg.info.Uses[id].(type) {
	case *types.Var:
		return obj.Parent() != pkg.pkg.Scope()
	case *types.PkgName:
		return false
	}
	return true
}

// root finds the variable that an assignment to e changes: x in x.f[i].
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// order rejects a range over a map, and the iterators of package maps, unless the line says why their order cannot matter.
func (c *checker) order(d *folder, pkg *checked) {
	for _, f := range d.files {
		if f.test {
			continue
		}
		excused := c.excuses(f)
		sorted := make(map[ast.Expr]bool) // iterators whose order is thrown away at once
		complain := func(pos token.Pos, message string) {
			if !excused[c.tree.fset.Position(pos).Line] {
				c.report(pos, "order", "%s; sort first, or say on this line why it cannot matter: // order: …", message)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.RangeStmt:
				switch kind(pkg.info.TypeOf(n.X)) {
				case aMap:
					complain(n.Pos(), "the order of a map is not a value that a pure room was given (law 1)")
				case unknown:
					complain(n.Pos(), "cannot tell whether this is a map, because the package does not type-check")
				}
			case *ast.CallExpr:
				p, name, ok := f.selects(n.Fun)
				switch {
				case !ok || len(n.Args) == 0:
				case p == "slices" && strings.HasPrefix(name, "Sorted"), p == "maps" && name == "Collect":
					sorted[n.Args[0]] = true
				case p == "maps" && (name == "Keys" || name == "Values" || name == "All") && !sorted[n]:
					complain(n.Pos(), "maps."+name+" gives the order of a map, which is not a value that a pure room was given (law 1)")
				}
			}
			return true
		})
	}
}

// excuses gives the lines that a comment "// order: …" speaks for: its own and the next.
func (c *checker) excuses(f *file) map[int]bool {
	lines := make(map[int]bool)
	for _, group := range f.syntax.Comments {
		for _, comment := range group.List {
			reason, ok := strings.CutPrefix(comment.Text, "// order:")
			if ok && strings.TrimSpace(reason) != "" {
				line := c.tree.fset.Position(comment.Pos()).Line
				lines[line], lines[line+1] = true, true
			}
		}
	}
	return lines
}

type ranged int

const (
	unknown ranged = iota
	aMap
	notAMap
)

// kind says whether a range over a value of type t meets the order of a map. A type parameter is a map when its constraint allows one.
func kind(t types.Type) ranged {
	if t == nil {
		return unknown
	}
	switch u := t.Underlying().(type) {
	case *types.Map:
		return aMap
	case *types.Basic:
		if u.Kind() == types.Invalid {
			return unknown
		}
	case *types.Interface:
		for e := range u.EmbeddedTypes() {
			union, ok := e.(*types.Union)
			if !ok {
				if kind(e) == aMap {
					return aMap
				}
				continue
			}
			for term := range union.Terms() {
				if kind(term.Type()) == aMap {
					return aMap
				}
			}
		}
	}
	return notAMap
}
