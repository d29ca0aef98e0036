"""A TCP echo server of the plain kind: it serves one client and ends.

Usage: echo_server.py [HOST [PORT]]
"""

import socket
import sys

HOST = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 65432

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, PORT))
    listener.listen()
    print("listening", flush=True)
    client, _ = listener.accept()
    with client:
        while True:
            data = client.recv(1024)
            if not data:
                break
            client.sendall(data)
