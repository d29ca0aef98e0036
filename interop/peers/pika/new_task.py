"""Tutorial 2, work queues: persistent tasks into a durable queue."""

import pika

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
parser.add_argument("bodies", nargs="+")
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.queue_declare(queue=args.queue, durable=True)
for body in args.bodies:
    channel.basic_publish(
        exchange="",
        routing_key=args.queue,
        body=body.encode(),
        properties=pika.BasicProperties(delivery_mode=2),
    )
    tutorial.say("sent", body)
connection.close()
