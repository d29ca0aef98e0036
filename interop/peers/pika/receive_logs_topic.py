"""Tutorial 5, topics: a receiver bound by one or more patterns."""

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--exchange", required=True)
parser.add_argument("keys", nargs="+")
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.exchange_declare(exchange=args.exchange, exchange_type="topic")
queue = channel.queue_declare(queue="", exclusive=True).method.queue
for key in args.keys:
    channel.queue_bind(exchange=args.exchange, queue=queue, routing_key=key)


def received(_channel, method, _properties, body):
    tutorial.say("received", method.routing_key, body.decode())


channel.basic_consume(queue=queue, on_message_callback=received, auto_ack=True)
tutorial.say("ready", queue)
tutorial.consume(connection, channel)
