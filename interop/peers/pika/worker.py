"""Tutorial 2, work queues: a worker that acknowledges what it has done.

A task whose text ends in "hold" is not done until a line arrives on standard
input.
"""

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
parser.add_argument("--prefetch", type=int, default=0)
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.queue_declare(queue=args.queue, durable=True)
if args.prefetch:
    channel.basic_qos(prefetch_count=args.prefetch)
held = []


def done(tag, text):
    # Said before it is done, so that the line is out when the broker knows.
    tutorial.say("done", text)
    channel.basic_ack(delivery_tag=tag)


def received(_channel, method, properties, body):
    text = body.decode()
    tutorial.say(
        "received", text,
        "mode=%d" % (properties.delivery_mode or 0),
        "redelivered=%s" % str(method.redelivered).lower(),
    )
    if text.endswith("hold"):
        held.append((method.delivery_tag, text))
    else:
        done(method.delivery_tag, text)


channel.basic_consume(queue=args.queue, on_message_callback=received)
tutorial.say("ready")
tutorial.consume(connection, channel, on_line=lambda _: done(*held.pop(0)))
