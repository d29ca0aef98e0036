package broker_test

import (
	"context"
	"fmt"
	"log"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
)

// A broker without a listener: queues inside one program.
func Example() {
	b, err := broker.Open(broker.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	ctx := context.Background()
	v := b.VHost("/")
	if _, err := v.DeclareQueue(ctx, broker.Queue{Name: "jobs"}); err != nil {
		log.Fatal(err)
	}
	for _, job := range []string{"sweep", "paint"} {
		if err := v.Publish(ctx, broker.Message{Key: "jobs", Body: []byte(job)}); err != nil {
			log.Fatal(err)
		}
	}
	for d, err := range v.Consume(ctx, "jobs", nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", d.Body)
		d.Ack()
		if string(d.Body) == "paint" {
			break
		}
	}
	// Output:
	// sweep
	// paint
}

// A broker that AMQP 0-9-1 clients connect to, and the program itself without a socket.
func ExampleBroker_Run() {
	b, err := broker.Open(broker.Config{Listen: []string{"amqp://127.0.0.1:0"}})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- b.Run(ctx) }()
	<-b.Ready()

	v := b.VHost("/")
	if _, err := v.DeclareQueue(ctx, broker.Queue{Name: "greetings"}); err != nil {
		log.Fatal(err)
	}

	conn, err := amqp.Dial("amqp://guest:guest@" + b.Listeners()[0].URL[len("amqp://"):] + "/")
	if err != nil {
		log.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if err := ch.Publish("", "greetings", false, false, amqp.Publishing{Body: []byte("hello")}); err != nil {
		log.Fatal(err)
	}

	for d, err := range v.Consume(ctx, "greetings", &broker.ConsumeOptions{AutoAck: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", d.Body)
		break
	}
	stop() // the clients are told, and have DrainTimeout to go
	fmt.Println(<-ended)
	// Output:
	// hello
	// <nil>
}

// Patterns select what a queue gets from a topic exchange.
func ExampleVHost_Bind() {
	b, err := broker.Open(broker.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	ctx := context.Background()
	v := b.VHost("/")
	if _, err := v.DeclareQueue(ctx, broker.Queue{Name: "kitchen"}); err != nil {
		log.Fatal(err)
	}
	if err := v.Bind(ctx, broker.Binding{Exchange: "amq.topic", Queue: "kitchen", Key: "kitchen.#"}); err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"kitchen.oven.temperature", "garden.gate"} {
		err := v.Publish(ctx, broker.Message{Exchange: "amq.topic", Key: key, Mandatory: true})
		fmt.Println(key, err)
	}
	// Output:
	// kitchen.oven.temperature <nil>
	// garden.gate no queue is bound to exchange "amq.topic" for the routing key "garden.gate": the message was dropped
}

// Get fetches one message without a subscription.
func ExampleVHost_Get() {
	b, err := broker.Open(broker.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	ctx := context.Background()
	v := b.VHost("/")
	if _, err := v.DeclareQueue(ctx, broker.Queue{Name: "q"}); err != nil {
		log.Fatal(err)
	}
	if err := v.Publish(ctx, broker.Message{Key: "q", Body: []byte("only one"), Headers: broker.Table{"n": 1}}); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		d, ok, err := v.Get(ctx, "q")
		if err != nil {
			log.Fatal(err)
		}
		if !ok {
			fmt.Println("empty")
			break
		}
		fmt.Printf("%s, n = %v\n", d.Body, d.Headers["n"])
		d.Ack()
	}
	// Output:
	// only one, n = 1
	// empty
}
