package arch

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeBlock    = regexp.MustCompile("(?ms)^```.*?^```")
)

func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	root := os.DirFS(moduleRoot)
	documents := 0
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case path.Ext(name) != ".md":
			return nil
		}
		documents++
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		for _, m := range markdownLink.FindAllSubmatch(codeBlock.ReplaceAll(text, nil), -1) {
			link, _, _ := strings.Cut(string(m[1]), "#")
			if link == "" || strings.Contains(link, "://") {
				continue
			}
			if _, err := fs.Stat(root, path.Join(path.Dir(name), link)); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents == 0 {
		t.Error("no documents found")
	}
}
