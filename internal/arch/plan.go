package arch

import (
	"path"
	"strings"
)

// A Plan says which rooms a module has and what each may import.
type Plan struct {
	// Module is the import path of the module.
	Module string
	// Rooms are looked through from the top; the first whose Folder matches holds, so narrow rooms stand above wide ones.
	Rooms []Room
	// TestModules are third-party modules that any test may import and nothing else may.
	TestModules []string
}

// A Room is one folder, or a family of folders that obey the same rules.
type Room struct {
	// Folder is relative to the module's root. "*" stands for any one element, a last element "..." for the folder and all below it.
	Folder string
	// Pure rooms take bytes, values and the time as arguments and give bytes, values and effects back: law 1.
	Pure bool
	// Program rooms hold package main, which may exit, print and catch signals.
	Program bool
	// Planned rooms are named by the design and hold no Go yet.
	Planned bool
	// May lists the folders of this module that the room may import, in the form of Folder. A room may always import itself,
	// which is how its external tests see it.
	May []string
	// TestMay lists what the room's tests may import besides.
	TestMay []string
	// Modules lists the third-party modules, by prefix, that the room may import. None: the standard library only.
	Modules []string
	// Globals lists the package-level variables that may hold state. Each is an exception to law 4 and gives its reason in the plan.
	Globals []string
}

// room finds the room that holds folder.
func (p Plan) room(folder string) (Room, bool) {
	for _, r := range p.Rooms {
		if match(r.Folder, folder) {
			return r, true
		}
	}
	return Room{}, false
}

// folder turns an import path into a folder of the module; ok is false for other modules and for the standard library.
func (p Plan) folder(importPath string) (folder string, ok bool) {
	if importPath == p.Module {
		return ".", true
	}
	return strings.CutPrefix(importPath, p.Module+"/")
}

// may reports whether r may import folder.
func (r Room) may(folder string, test bool) bool {
	return matchAny(r.May, folder) || test && matchAny(r.TestMay, folder)
}

func matchAny(patterns []string, folder string) bool {
	for _, p := range patterns {
		if match(p, folder) {
			return true
		}
	}
	return false
}

// match reports whether folder is one that pattern names; see [Room.Folder].
func match(pattern, folder string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(folder, "/")
	for i, w := range want {
		if w == "..." && i == len(want)-1 {
			return true
		}
		if i >= len(have) {
			return false
		}
		if ok, err := path.Match(w, have[i]); err != nil || !ok {
			return false
		}
	}
	return len(want) == len(have)
}
