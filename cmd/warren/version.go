package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Help says what the lines are.
func (versionCmd) Help() string {
	return `Prints one line each: the version, the commit (marked "modified" when the tree had changes), the Go version, and the platform. What the build does not know is "unknown".`
}

// Examples ends "warren version --help".
func (versionCmd) Examples() string { return "warren version" }

// Run prints what the linker recorded in the program.
func (versionCmd) Run(std stdio) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	var commit, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " (modified)"
		}
	}
	_, err := fmt.Fprintf(std.out, "warren    %s\ncommit    %s%s\ngo        %s\nplatform  %s/%s\n",
		version(), cmp.Or(commit, "unknown"), modified,
		runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version is the module's version as the linker recorded it, "(devel)" for a build that has none.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
