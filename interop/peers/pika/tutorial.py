"""What the tutorial's programs share: the connection, and an ending.

Every program prints one line for each thing that happens to it, "ready" once
it consumes, and ends in good order when its standard input ends.
"""

import argparse
import sys
import threading

import pika


def options(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", required=True)
    return parser


def connect(url):
    return pika.BlockingConnection(pika.URLParameters(url))


def say(*words):
    print(*words, flush=True)


def consume(connection, channel, on_line=None):
    """Consume until standard input ends; lines on it go to on_line."""

    def end():
        channel.stop_consuming()

    def watch():
        for line in sys.stdin:
            if on_line:
                connection.add_callback_threadsafe(lambda l=line.strip(): on_line(l))
        connection.add_callback_threadsafe(end)

    threading.Thread(target=watch, daemon=True).start()
    channel.start_consuming()
    connection.close()
