package process

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Root, as Build's module, is the one that bench measures.
const Root = "github.com/warrenmq/warren"

// Build builds a package of a module ("" = the one of the working folder) into
// a binary. Flags come before the package; what looks like NAME=VALUE goes into
// the environment.
func Build(ctx context.Context, module, binary, pkg string, flagsAndEnv ...string) error {
	dir := ""
	if module != "" {
		var err error
		if dir, err = ModuleFolder(ctx, module); err != nil {
			return err
		}
	}
	return BuildIn(ctx, dir, binary, pkg, flagsAndEnv...)
}

// BuildIn does so in a folder, whose module is the one.
func BuildIn(ctx context.Context, dir, binary, pkg string, flagsAndEnv ...string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	for _, s := range flagsAndEnv {
		if strings.HasPrefix(s, "-") {
			cmd.Args = append(cmd.Args, s)
		} else {
			cmd.Env = append(cmd.Env, s)
		}
	}
	cmd.Args = append(cmd.Args, pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// ModuleFolder returns where a module that this one requires lies.
func ModuleFolder(ctx context.Context, module string) (string, error) {
	dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("looking for module %s (is the working folder bench/?): %w", module, err)
	}
	return strings.TrimSpace(string(dir)), nil
}
