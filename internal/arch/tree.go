package arch

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A tree is the source of one module, parsed.
type tree struct {
	fset    *token.FileSet
	folders []*folder // by path
	nested  []string  // folders with a go.mod of their own: other modules, not looked into
}

type folder struct {
	path  string
	files []*file // by name, whatever their build constraints say
}

type file struct {
	name    string // relative to the module's root
	src     []byte
	syntax  *ast.File
	test    bool
	imports []imported
}

type imported struct {
	pos  token.Pos
	path string
	name string // as the file calls it
}

// read parses every Go file of the module whose root is fsys. A file that does not parse is an error.
func read(fsys fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return t.enter(fsys, name)
		case path.Ext(name) != ".go":
			return nil
		}
		return t.add(fsys, name)
	})
	return t, err
}

// enter decides whether a folder belongs to the module.
func (t *tree) enter(fsys fs.FS, name string) error {
	if name == "." {
		return nil
	}
	base := path.Base(name)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	switch {
	case err == nil:
		t.nested = append(t.nested, name)
		return fs.SkipDir
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

func (t *tree) add(fsys fs.FS, name string) error {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &file{name: name, src: src, syntax: syntax, test: strings.HasSuffix(name, "_test.go")}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		im := imported{pos: spec.Pos(), path: p, name: defaultName(p)}
		if spec.Name != nil {
			im.name = spec.Name.Name
		}
		f.imports = append(f.imports, im)
	}
	dir := path.Dir(name)
	if d := t.folder(dir); d != nil {
		d.files = append(d.files, f)
		return nil
	}
	t.folders = append(t.folders, &folder{path: dir, files: []*file{f}})
	return nil
}

func (t *tree) folder(path string) *folder {
	i := slices.IndexFunc(t.folders, func(d *folder) bool { return d.path == path })
	if i < 0 {
		return nil
	}
	return t.folders[i]
}

func (t *tree) paths() []string {
	var out []string
	for _, d := range t.folders {
		out = append(out, d.path)
	}
	return out
}

// defaultName guesses the package name behind an import path as Go's own tools do: the last element that is not a version.
func defaultName(importPath string) string {
	base := path.Base(importPath)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(importPath))
	}
	return base
}

// selects gives the import path and the name when e is pkg.Name and pkg is an import of f.
func (f *file) selects(e ast.Expr) (importPath, name string, ok bool) {
	if ix, isIndex := e.(*ast.IndexExpr); isIndex { // pkg.Generic[T]
		e = ix.X
	}
	sel, isSel := e.(*ast.SelectorExpr)
	if !isSel {
		return "", "", false
	}
	x, isIdent := sel.X.(*ast.Ident)
	if !isIdent {
		return "", "", false
	}
	for _, im := range f.imports {
		if im.name == x.Name {
			return im.path, sel.Sel.Name, true
		}
	}
	return "", "", false
}
