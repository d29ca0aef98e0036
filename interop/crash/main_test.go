package crash

import (
	"os"
	"testing"

	"github.com/warrenmq/warren/interop/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }
