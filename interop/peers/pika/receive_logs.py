"""Tutorial 3, publish/subscribe: a receiver with a queue of its own."""

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--exchange", required=True)
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.exchange_declare(exchange=args.exchange, exchange_type="fanout")
queue = channel.queue_declare(queue="", exclusive=True).method.queue
channel.queue_bind(exchange=args.exchange, queue=queue)


def received(_channel, _method, _properties, body):
    tutorial.say("received", body.decode())


channel.basic_consume(queue=queue, on_message_callback=received, auto_ack=True)
tutorial.say("ready", queue)
tutorial.consume(connection, channel)
