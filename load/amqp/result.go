package amqp

import (
	"time"

	"github.com/warrenmq/warren/load"
)

// Result is what a run has found.
type Result struct {
	// Totals of the whole run, from its first publish to its last delivery.
	Published uint64 `json:"published"` // messages handed to the kernel whole
	Confirmed uint64 `json:"confirmed"` // of them, acknowledged by the broker
	Nacked    uint64 `json:"nacked"`    // of them, refused by the broker with basic.nack
	Delivered uint64 `json:"delivered"` // messages that reached consumers
	Lost      uint64 `json:"lost"`      // deliveries that were due and had not come when Drain ended the wait

	// The window, see the package's comment, and the rates within it, per
	// second.
	Elapsed     time.Duration `json:"elapsed_ns"`
	PublishRate float64       `json:"publish_rate"`
	ConfirmRate float64       `json:"confirm_rate"`
	DeliverRate float64       `json:"deliver_rate"`
	// DeliverBytes is DeliverRate in bytes of body per second.
	DeliverBytes float64 `json:"deliver_bytes_per_s"`

	// Latency is from due to delivered; Confirm from written to confirmed. Both
	// cover the whole run.
	Latency load.Summary `json:"latency"`
	Confirm load.Summary `json:"confirm_latency"`

	// FirstDelivery is when the read returned that brought the first delivery;
	// the zero time when there was none.
	FirstDelivery time.Time `json:"first_delivery,omitzero"`

	// ServerCPU is the server's CPU time in the window, in user and kernel
	// mode, and CPUPerMessage its share for one message: a delivery or, in a
	// run without consumers, a publish. Zero without ServerPID.
	ServerCPU     time.Duration `json:"server_cpu_ns"`
	CPUPerMessage time.Duration `json:"server_cpu_per_message_ns"`
	// ServerResident is the server's resident memory at the window's end, in
	// bytes. Zero without ServerPID.
	ServerResident int64 `json:"server_resident_bytes"`
	// ClientCPU is this process's own CPU time in the window, Linux only. Where it comes
	// near Elapsed times the workers, the run has measured the client.
	ClientCPU time.Duration `json:"client_cpu_ns"`
}
