"""Tutorial 4, routing: lines in pairs of routing key and body."""

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--exchange", required=True)
parser.add_argument("pairs", nargs="+", help="a routing key, a body, a routing key, …")
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
channel.exchange_declare(exchange=args.exchange, exchange_type="direct")
for key, body in zip(args.pairs[::2], args.pairs[1::2]):
    channel.basic_publish(exchange=args.exchange, routing_key=key, body=body.encode())
    tutorial.say("sent", key, body)
connection.close()
