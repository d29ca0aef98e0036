package arch

// Warren is the plan of this module. A new folder gets its line here, in the same change that makes it.
var Warren = Plan{
	Module: "github.com/warrenmq/warren",
	Rooms: []Room{
		// The first tower: ZeroMQ. It knows nothing of the second.
		{Folder: "zmq/internal/zmtp", Pure: true},
		{Folder: "zmq/internal/pattern/...", Pure: true,
			May:     []string{"zmq/internal/pattern", "zmq/internal/pattern/brick", "zmq/internal/pattern/x*", "zmq/internal/zmtp"},
			TestMay: []string{"zmq/internal/pattern/patterntest"}},
		{Folder: "zmq/internal/transport/...", May: []string{"zmq/internal/transport/..."}, Modules: []string{"golang.org/x"}},
		{Folder: "zmq", May: []string{"zmq/internal/..."}, Modules: []string{"golang.org/x"},
			Globals: []string{"processInproc"}, // inproc names are the process's by their specification; Options.Inproc gives others
		},

		// The second tower: the broker. At its foot stand the pure rooms.
		{Folder: "broker/internal/wire/...", Pure: true},
		{Folder: "broker/internal/topic", Pure: true},
		{Folder: "broker/internal/exchange", Pure: true, May: []string{"broker/internal/topic"}},
		{Folder: "broker/internal/message", Pure: true, May: []string{"broker/internal/wire/*", "broker/internal/exchange"}},
		{Folder: "broker/internal/queue", Pure: true},

		// Bytes and commands, never queues.
		{Folder: "broker/internal/storage/...", May: []string{"broker/internal/storage", "broker/internal/storage/..."}, Modules: []string{"golang.org/x"}},
		{Folder: "broker/internal/cluster/...", Planned: true, May: []string{"broker/internal/cluster/...", "broker/internal/storage/..."}},
		{Folder: "broker/internal/access"},
		{Folder: "broker/internal/definitions", May: []string{
			"broker/internal/access", "broker/internal/exchange", "broker/internal/message", "broker/internal/wire/amqp091",
		}},
		{Folder: "broker/internal/pipe"},

		// The hub.
		{Folder: "broker/internal/engine", May: []string{
			"broker/internal/message", "broker/internal/exchange", "broker/internal/queue", "broker/internal/access",
			"broker/internal/definitions", "broker/internal/storage", "broker/internal/cluster/...",
		}, TestMay: []string{"broker/internal/storage/..."}},

		// The translators. Each sees the hub, its own codec and the pump, and none of the others.
		{Folder: "broker/internal/front", May: []string{"broker/internal/engine"}},
		{Folder: "broker/internal/front/pump"},
		{Folder: "broker/internal/front/fronttest",
			May:     append([]string{"broker/internal/front/pump"}, hub...),
			TestMay: []string{"broker/internal/front/...", "broker/internal/wire/...", "zmq"}},
		{Folder: "broker/internal/front/amqp091",
			May:     append([]string{"broker/internal/front/pump", "broker/internal/wire/amqp091"}, hub...),
			TestMay: []string{"broker/internal/front/fronttest", "broker/internal/storage", "broker/internal/storage/storetest"},
		},
		{Folder: "broker/internal/front/socket",
			May:     append([]string{"broker/internal/front/pump"}, hub...),
			TestMay: []string{"broker/internal/front/fronttest"}},
		{Folder: "broker/internal/front/zmq",
			May:     append([]string{"zmq"}, hub...),
			TestMay: []string{"broker/internal/front/fronttest"}},

		// The doors.
		{Folder: "broker/brokertest", May: []string{"broker"}},
		{Folder: "broker/fsck", May: []string{
			"broker/internal/storage", "broker/internal/storage/...", "broker/internal/definitions", "broker/internal/message",
		}, TestMay: []string{"broker/internal/exchange"}},
		{Folder: "broker", May: []string{"broker/internal/..."}, TestMay: []string{"broker/brokertest", "zmq"}},

		// What stands on the doors: public packages only.
		{Folder: "load/...", May: []string{"load/...", "zmq"}, TestMay: []string{"broker", "broker/brokertest"}},
		{Folder: "cmd/...", Program: true, May: public, Modules: []string{"github.com/alecthomas/kong", "github.com/rabbitmq/amqp091-go", "golang.org/x"}},
		{Folder: "examples/...", Program: true, May: public, Modules: []string{"github.com/rabbitmq/amqp091-go"}},

		{Folder: "internal/arch"},
	},
	TestModules: []string{
		"pgregory.net/rapid",
		"go.uber.org/goleak",
		"github.com/rogpeppe/go-internal",
		"github.com/rabbitmq/amqp091-go",
		"golang.org/x/tools/txtar",
	},
}

// public are the packages that somebody outside this module can import.
var public = []string{"zmq", "broker", "broker/brokertest", "broker/fsck", "load/..."}

// hub is what every front may see of the broker: the engine, the values that its verbs take, and what all fronts share.
var hub = []string{
	"broker/internal/front", "broker/internal/engine", "broker/internal/access", "broker/internal/message", "broker/internal/exchange",
	"broker/internal/queue",
}
