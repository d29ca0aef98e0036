"""Listen to an exchange that exists and speak to it: print key and body of what
it carries to the given binding keys, publish each "KEY<tab>BODY" line of
standard input to it."""

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--exchange", required=True)
parser.add_argument("keys", nargs="+")
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
queue = channel.queue_declare(queue="", exclusive=True).method.queue
for key in args.keys:
    channel.queue_bind(exchange=args.exchange, queue=queue, routing_key=key)


def received(_channel, method, _properties, body):
    tutorial.say("received", method.routing_key + "\t" + body.decode())


def publish(line):
    key, _, body = line.partition("\t")
    channel.basic_publish(exchange=args.exchange, routing_key=key, body=body.encode())


channel.basic_consume(queue=queue, on_message_callback=received, auto_ack=True)
tutorial.say("ready")
tutorial.consume(connection, channel, on_line=publish)
