package arch

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
)

// A typeChecker finds the types of a package's expressions.
//
// Pure rooms are checked in full: what they import of this module from the tree, the standard library from its source (the
// compiler's importers would run the go command). All others are checked with hollow imports: their own names resolve, and that
// is all that is asked of them. Type errors are not reported: the compiler does that. Where one hides the type of a
// ranged expression, the rule "order" says so.
type typeChecker struct {
	plan   Plan
	tree   *tree
	std    types.Importer
	full   map[string]*checked
	hollow map[string]*types.Package
}

type checked struct {
	pkg  *types.Package
	info *types.Info
}

// standardLibrary returns an importer that reads the standard library's source.
func standardLibrary() types.Importer {
	return importer.ForCompiler(token.NewFileSet(), "source", nil)
}

func newTypeChecker(p Plan, t *tree, std types.Importer) *typeChecker {
	return &typeChecker{
		plan:   p,
		tree:   t,
		std:    std,
		full:   make(map[string]*checked),
		hollow: make(map[string]*types.Package),
	}
}

func (tc *typeChecker) check(d *folder, pure bool) *checked {
	if pure {
		return tc.checkFull(d)
	}
	return tc.run(d, importFunc(tc.importHollow))
}

func (tc *typeChecker) checkFull(d *folder) *checked {
	if done, ok := tc.full[d.path]; ok {
		return done
	}
	tc.full[d.path] = &checked{pkg: types.NewPackage(d.path, d.files[0].syntax.Name.Name)} // holds while its own imports are checked, should they lead back here
	tc.full[d.path] = tc.run(d, importFunc(tc.importFull))
	return tc.full[d.path]
}

func (tc *typeChecker) run(d *folder, im types.Importer) *checked {
	var syntax []*ast.File
	for _, f := range d.files {
		if !f.test {
			syntax = append(syntax, f.syntax)
		}
	}
	info := &types.Info{
		Types: make(map[ast.Expr]types.TypeAndValue),
		Defs:  make(map[*ast.Ident]types.Object),
		Uses:  make(map[*ast.Ident]types.Object),
	}
	conf := types.Config{Importer: im, Error: func(error) {}}
	pkg, _ := conf.Check(tc.plan.Module+"/"+d.path, tc.tree.fset, syntax, info)
	return &checked{pkg, info}
}

func (tc *typeChecker) importFull(importPath string) (*types.Package, error) {
	if to, ok := tc.plan.folder(importPath); ok {
		d := tc.tree.folder(to)
		if d == nil {
			return nil, fmt.Errorf("no folder %s", to)
		}
		return tc.checkFull(d).pkg, nil
	}
	if !isStandard(importPath) || hasPrefix(impure, importPath) { // the latter is a violation by itself, and slow to check
		return tc.importHollow(importPath)
	}
	return tc.std.Import(importPath)
}

// shared are the types of the standard library that guard something shared, so that a package-level variable that holds one is state.
var shared = map[string][]string{
	"sync":        {"Mutex", "RWMutex", "Map"},
	"sync/atomic": {"Bool", "Int32", "Int64", "Uint32", "Uint64", "Uintptr", "Value"},
}

// importHollow makes a package with nothing in it but the shared types.
func (tc *typeChecker) importHollow(importPath string) (*types.Package, error) {
	if importPath == "unsafe" {
		return types.Unsafe, nil
	}
	if p, ok := tc.hollow[importPath]; ok {
		return p, nil
	}
	p := types.NewPackage(importPath, defaultName(importPath))
	for _, name := range shared[importPath] {
		tn := types.NewTypeName(token.NoPos, p, name, nil)
		types.NewNamed(tn, types.NewStruct(nil, nil), nil)
		p.Scope().Insert(tn)
	}
	p.MarkComplete()
	tc.hollow[importPath] = p
	return p, nil
}

type importFunc func(string) (*types.Package, error)

func (f importFunc) Import(p string) (*types.Package, error) { return f(p) }
