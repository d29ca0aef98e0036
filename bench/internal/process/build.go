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
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary)
	cmd.Env = os.Environ()
	for _, s := range flagsAndEnv {
		if strings.HasPrefix(s, "-") {
			cmd.Args = append(cmd.Args, s)
		} else {
			cmd.Env = append(cmd.Env, s)
		}
	}
	cmd.Args = append(cmd.Args, pkg)
	if module != "" {
		dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			return fmt.Errorf("looking for module %s (is the working folder bench/?): %w", module, err)
		}
		cmd.Dir = strings.TrimSpace(string(dir))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}
