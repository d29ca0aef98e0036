"""Consume a number of messages of a queue that exists, acknowledge each, and
print their bodies as they are, a line each."""

import sys

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
parser.add_argument("count", type=int)
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.queue_declare(queue=args.queue, passive=True)
left = args.count
for method, _, body in channel.consume(args.queue):
    sys.stdout.buffer.write(body + b"\n")
    sys.stdout.flush()
    channel.basic_ack(method.delivery_tag)
    left -= 1
    if not left:
        break
channel.cancel()
connection.close()
