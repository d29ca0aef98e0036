"""A libzmq socket on strings: a test pulls them, this moves.

Standard input carries one JSON object a line, and standard output answers
each with one; message parts are hexadecimal.

    {"do": "send", "parts": ["68 69"]}  ->  {}
    {"do": "recv", "ms": 500}           ->  {"parts": ["68 69"]}, or null in time
    {"do": "subscribe", "prefix": "41"} ->  {}, and "unsubscribe" alike

With --echo it answers what it receives by itself, the parts of --sign in
front, until standard input ends.
"""

import argparse
import json
import sys

import zmq

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("type", help="req, rep, dealer, …")
parser.add_argument("--bind", action="append", default=[])
parser.add_argument("--connect", action="append", default=[])
parser.add_argument("--subscribe", action="append", default=[])
parser.add_argument("--echo", action="store_true")
parser.add_argument("--sign", action="append", default=[])
args = parser.parse_args()

context = zmq.Context()
socket = context.socket(getattr(zmq, args.type.upper()))
socket.linger = 5000
for prefix in args.subscribe:
    socket.subscribe(prefix)
for url in args.bind:
    socket.bind(url)
for url in args.connect:
    socket.connect(url)


def answer(**fields):
    print(json.dumps(fields), flush=True)


def send(command):
    if not socket.poll(20000, zmq.POLLOUT):
        answer(error="cannot send")
        return
    socket.send_multipart([bytes.fromhex(p) for p in command["parts"]])
    answer()


def recv(command):
    if socket.poll(command["ms"], zmq.POLLIN):
        answer(parts=[p.hex() for p in socket.recv_multipart()])
    else:
        answer(parts=None)


def subscribe(command):
    socket.subscribe(bytes.fromhex(command["prefix"]))
    answer()


def unsubscribe(command):
    socket.unsubscribe(bytes.fromhex(command["prefix"]))
    answer()


answer()
if args.echo:
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(sys.stdin, zmq.POLLIN)
    signature = [s.encode() for s in args.sign]
    while True:
        ready = dict(poller.poll())
        if sys.stdin.fileno() in ready:
            break
        socket.send_multipart(signature + socket.recv_multipart())
else:
    moves = {"send": send, "recv": recv, "subscribe": subscribe, "unsubscribe": unsubscribe}
    for line in sys.stdin:
        command = json.loads(line)
        moves[command["do"]](command)
socket.close()
context.term()
