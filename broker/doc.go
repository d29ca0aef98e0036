// Package broker is a message broker in which the clients of several protocols share the same exchanges and queues. It runs
// inside a Go program or test as well as in the warren command, which is made of this package's public door.
//
//	b, err := broker.Open(broker.Config{Listen: []string{"amqp://127.0.0.1:5672"}})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer b.Close()
//	go b.Run(ctx) // serves until ctx ends, then drains
//
//	v := b.VHost("/") // the same exchanges and queues, without a socket
//	v.DeclareQueue(ctx, broker.Queue{Name: "jobs"})
//	v.Publish(ctx, broker.Message{Key: "jobs", Body: []byte("hi")})
//	for d, err := range v.Consume(ctx, "jobs", nil) {
//		if err != nil {
//			break
//		}
//		fmt.Printf("%s\n", d.Body)
//		d.Ack()
//	}
//
// # Listeners
//
// A listener is a URL: its scheme says which clients it is for, and how its bytes travel.
//
//	amqp://127.0.0.1:5672                              AMQP 0-9-1, as RabbitMQ's clients speak it
//	echo+tcp://127.0.0.1:7777                          bytes come back as they came (also echo+udp, echo+unix)
//	room+tcp://127.0.0.1:7000?exchange=lobby           what one client writes, a line each, all others read
//	queue+tcp://127.0.0.1:7001?queue=jobs              lines go into a queue and come out of it
//	zmq+pub://127.0.0.1:5556?exchange=amq.topic        ZeroMQ subscribers hear an exchange
//	zmq+pull://127.0.0.1:5557?queue=jobs               what ZeroMQ peers push goes into a queue
//
// # What survives
//
// With Config.Dir vhosts, users, durable exchanges, queues and bindings are kept in a folder, and persistent messages in
// durable queues. A client is told that something is safe, by a confirm, a commit-ok, a declare-ok or the return of
// [VHost.Publish], once it is on the disk; Config.Store relaxes that. A queue holds the beginning of its messages in memory
// and the rest on disk, however many they are. Without Config.Dir everything is in memory and ends with the broker.
// docs/durability.md has the whole promise.
package broker
