"""Tutorial 6, remote procedure call: a server of Fibonacci numbers."""

import pika

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.queue_declare(queue=args.queue)
channel.basic_qos(prefetch_count=1)


def fib(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def asked(_channel, method, properties, body):
    tutorial.say("asked", body.decode())
    channel.basic_publish(
        exchange="",
        routing_key=properties.reply_to,
        properties=pika.BasicProperties(correlation_id=properties.correlation_id),
        body=str(fib(int(body))).encode(),
    )
    channel.basic_ack(delivery_tag=method.delivery_tag)


channel.basic_consume(queue=args.queue, on_message_callback=asked)
tutorial.say("ready")
tutorial.consume(connection, channel)
