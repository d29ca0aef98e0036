"""Declare a queue and say what it holds, or how the broker refuses."""

import pika

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
parser.add_argument("--durable", action="store_true")
parser.add_argument("--passive", action="store_true")
args = parser.parse_args()

connection = tutorial.connect(args.url)
channel = connection.channel()
try:
    ok = channel.queue_declare(queue=args.queue, durable=args.durable, passive=args.passive).method
    tutorial.say("queue", ok.queue, "messages=%d" % ok.message_count, "consumers=%d" % ok.consumer_count)
except pika.exceptions.ChannelClosedByBroker as refusal:
    tutorial.say("refused", refusal.reply_code, refusal.reply_text)
connection.close()
