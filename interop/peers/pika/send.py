"""Tutorial 1, hello world: the sender."""

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
parser.add_argument("bodies", nargs="+")
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.queue_declare(queue=args.queue)
for body in args.bodies:
    channel.basic_publish(exchange="", routing_key=args.queue, body=body.encode())
    tutorial.say("sent", body)
connection.close()
