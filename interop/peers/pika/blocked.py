"""Publish numbered persistent messages, one confirm at a time, and tell when the
broker blocks the connection and when it lets go. Ends when standard input does."""

import sys
import threading

import pika

import tutorial

parser = tutorial.options(__doc__)
parser.add_argument("--queue", required=True)
parser.add_argument("--size", type=int, required=True)
args = parser.parse_args()

connection = tutorial.connect(args.url)
connection.add_on_connection_blocked_callback(
    lambda _connection, frame: tutorial.say("blocked:", frame.method.reason)
)
connection.add_on_connection_unblocked_callback(lambda _connection, _frame: tutorial.say("unblocked"))
channel = connection.channel()
channel.confirm_delivery()
ended = threading.Event()


def watch():
    sys.stdin.read()
    ended.set()


threading.Thread(target=watch, daemon=True).start()
number = 0
while not ended.is_set():
    number += 1
    body = str(number).encode().ljust(args.size)
    try:
        channel.basic_publish(
            exchange="", routing_key=args.queue, body=body, properties=pika.BasicProperties(delivery_mode=2)
        )
    except pika.exceptions.AMQPError as error:
        tutorial.say("lost:", type(error).__name__)
        sys.exit(0)
    tutorial.say("confirmed", number)
    connection.sleep(0.005)
tutorial.say("published", number)
connection.close()
