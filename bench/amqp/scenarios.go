package main

import (
	"github.com/warrenmq/warren/bench/internal/report"
	"github.com/warrenmq/warren/load/amqp"
)

// scenario is one kind of work for a broker.
type scenario struct {
	name    string
	about   string
	primary report.Metric
	disk    bool // about persistent messages: the limit program takes part
	load    amqp.Options
}

// scenarios are the cases of the project's speed goals and those around them.
// URL, bounds and server id are the driver's to fill in.
var scenarios = []scenario{
	{
		name: "transient-16", about: "1→1, transient, automatic acknowledgement, 16 B", primary: report.Rate,
		load: amqp.Options{Size: 16},
	},
	{
		name: "transient-1k", about: "the same, 1 KiB", primary: report.Rate,
		load: amqp.Options{Size: 1 << 10},
	},
	{
		name: "transient-64k", about: "the same, 64 KiB", primary: report.Rate,
		load: amqp.Options{Size: 64 << 10},
	},
	{
		name: "acks-16", about: "1→1, transient, each delivery acknowledged, prefetch 200, 16 B", primary: report.Rate,
		load: amqp.Options{Size: 16, Prefetch: 200},
	},
	{
		name: "confirm-1", about: "1→1, transient, confirms with a window of 1, acks (prefetch 200), 1 KiB", primary: report.Rate,
		load: amqp.Options{Size: 1 << 10, Confirms: 1, Prefetch: 200},
	},
	{
		name: "confirm-100", about: "the same with a window of 100", primary: report.Rate,
		load: amqp.Options{Size: 1 << 10, Confirms: 100, Prefetch: 200},
	},
	{
		name: "confirm-1000", about: "the same with a window of 1,000", primary: report.Rate,
		load: amqp.Options{Size: 1 << 10, Confirms: 1000, Prefetch: 200},
	},
	{
		name: "persistent-1", about: "1→1, persistent on durable queues, confirms with a window of 1, acks (prefetch 200), 1 KiB", primary: report.Rate, disk: true,
		load: amqp.Options{Size: 1 << 10, Persistent: true, Confirms: 1, Prefetch: 200},
	},
	{
		name: "persistent-100", about: "the same with a window of 100", primary: report.Rate, disk: true,
		load: amqp.Options{Size: 1 << 10, Persistent: true, Confirms: 100, Prefetch: 200},
	},
	{
		name: "persistent-1000", about: "the same with a window of 1,000", primary: report.Rate, disk: true,
		load: amqp.Options{Size: 1 << 10, Persistent: true, Confirms: 1000, Prefetch: 200},
	},
	{
		name: "persistent-100B-1000", about: "the same, 100 B", primary: report.Rate, disk: true,
		load: amqp.Options{Size: 100, Persistent: true, Confirms: 1000, Prefetch: 200},
	},
	{
		name: "pairs-4", about: "4→4 over 4 queues, transient, automatic acknowledgement, 16 B", primary: report.Rate,
		load: amqp.Options{Size: 16, Publishers: 4, Consumers: 4, Queues: 4},
	},
	{
		name: "fanout-100", about: "a fanout exchange to 100 queues, one consumer connection, 64 B; deliveries", primary: report.Rate,
		load: amqp.Options{Size: 64, Queues: 100, Route: amqp.RouteFanout},
	},
	{
		name: "fanout-1000", about: "the same to 1,000 queues", primary: report.Rate,
		load: amqp.Options{Size: 64, Queues: 1000, Route: amqp.RouteFanout},
	},
	{
		name: "topic-100", about: "a topic exchange to 100 queues, one consumer connection, 64 B; deliveries", primary: report.Rate,
		load: amqp.Options{Size: 64, Queues: 100, Route: amqp.RouteTopic},
	},
	{
		name: "latency-5k", about: "1→1 at 5,000 messages a second, transient, automatic acknowledgement, 64 B", primary: report.P50,
		load: amqp.Options{Size: 64, Rate: 5000},
	},
	{
		name: "latency-5k-persistent", about: "the same persistent", primary: report.P50, disk: true,
		load: amqp.Options{Size: 64, Rate: 5000, Persistent: true},
	},
}
