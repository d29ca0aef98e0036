"""Sit in a room by AMQP: print what its exchange carries, publish each line of
standard input to it."""

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--exchange", required=True)
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
queue = channel.queue_declare(queue="", exclusive=True).method.queue
channel.queue_bind(exchange=args.exchange, queue=queue)


def received(_channel, _method, _properties, body):
    tutorial.say("received", body.decode())


channel.basic_consume(queue=queue, on_message_callback=received, auto_ack=True)
tutorial.say("ready")
tutorial.consume(
    connection, channel,
    on_line=lambda line: channel.basic_publish(exchange=args.exchange, routing_key="", body=line.encode()),
)
