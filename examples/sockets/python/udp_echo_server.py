"""A UDP echo server: it answers one datagram and ends.

Usage: udp_echo_server.py [HOST [PORT]]
"""

import socket
import sys

HOST = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 65432

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind((HOST, PORT))
    print("listening", flush=True)
    data, client = server.recvfrom(1024)
    server.sendto(data, client)
