"""A UDP client: one datagram out, one back, its bytes printed.

Usage: udp_echo_client.py [HOST [PORT [TEXT]]]
"""

import os
import socket
import sys

HOST = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 65432
TEXT = os.fsencode(sys.argv[3]) if len(sys.argv) > 3 else b"Hello from Python"

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.settimeout(10)
    server.sendto(TEXT, (HOST, PORT))
    data, _ = server.recvfrom(1024)

sys.stdout.buffer.write(data)
