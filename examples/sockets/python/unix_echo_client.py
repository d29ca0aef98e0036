"""A client on a Unix socket: one write, one read, the answer printed.

Usage: unix_echo_client.py [PATH [TEXT]]
"""

import os
import socket
import sys

PATH = sys.argv[1] if len(sys.argv) > 1 else "echo.sock"
TEXT = os.fsencode(sys.argv[2]) if len(sys.argv) > 2 else b"Hello from Python"

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
    server.connect(PATH)
    server.sendall(TEXT)
    data = server.recv(1024)

sys.stdout.buffer.write(data)
