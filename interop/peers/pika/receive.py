"""Tutorial 1, hello world: the receiver."""

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.queue_declare(queue=args.queue)


def received(_channel, _method, _properties, body):
    tutorial.say("received", body.decode())


channel.basic_consume(queue=args.queue, on_message_callback=received, auto_ack=True)
tutorial.say("ready")
tutorial.consume(connection, channel)
