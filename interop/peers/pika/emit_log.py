"""Tutorial 3, publish/subscribe: every receiver gets every line."""

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--exchange", required=True)
parser.add_argument("bodies", nargs="+")
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.exchange_declare(exchange=args.exchange, exchange_type="fanout")
for body in args.bodies:
    channel.basic_publish(exchange=args.exchange, routing_key="", body=body.encode())
    tutorial.say("sent", body)
connection.close()
