"""Publish each line of standard input to a queue that exists."""

import sys

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.queue_declare(queue=args.queue, passive=True)
for line in sys.stdin:
    channel.basic_publish(exchange="", routing_key=args.queue, body=line.rstrip("\n").encode())
connection.close()
