"""Tutorial 6, remote procedure call: a client that asks one number at a time.

With --direct the answers come by the broker's direct reply-to and not
through a queue of the client's own.
"""

import uuid

import pika

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
parser.add_argument("--direct", action="store_true")
parser.add_argument("numbers", nargs="+")
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
if args.direct:
    replies = "amq.rabbitmq.reply-to"
else:
    replies = channel.queue_declare(queue="", exclusive=True).method.queue
answers = {}


def answered(_channel, _method, properties, body):
    answers[properties.correlation_id] = body.decode()


channel.basic_consume(queue=replies, on_message_callback=answered, auto_ack=True)
for number in args.numbers:
    ticket = str(uuid.uuid4())
    channel.basic_publish(
        exchange="",
        routing_key=args.queue,
        properties=pika.BasicProperties(reply_to=replies, correlation_id=ticket),
        body=number.encode(),
    )
    while ticket not in answers:
        connection.process_data_events(time_limit=None)
    tutorial.say("fib(%s) = %s" % (number, answers.pop(ticket)))
connection.close()
