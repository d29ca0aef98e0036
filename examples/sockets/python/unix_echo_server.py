"""The echo server on a Unix socket: it serves one client and ends.

Usage: unix_echo_server.py [PATH]
"""

import os
import socket
import sys

PATH = sys.argv[1] if len(sys.argv) > 1 else "echo.sock"

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
    listener.bind(PATH)
    listener.listen()
    print("listening", flush=True)
    client, _ = listener.accept()
    with client:
        while True:
            data = client.recv(1024)
            if not data:
                break
            client.sendall(data)
os.unlink(PATH)
