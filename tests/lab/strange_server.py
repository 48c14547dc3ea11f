"""A TCP server on loopback that greets as a test tells it to: late, never, without end, with a refusal, in another tongue."""
import contextlib
import socket
import threading


def silent(client, stop):
    stop.wait()


def closing(client, stop):
    pass


def endless(client, stop):
    while not stop.is_set():
        client.sendall(b"220-" + b"x" * 2000 + b"\r\n")


def one_line(client, stop):
    while not stop.is_set():
        client.sendall(b"220 " + b"x" * 65536)


def trickle(client, stop):
    while not stop.wait(0.05):
        client.sendall(b"2")


def binary(client, stop):
    client.sendall(bytes(range(256)) * 4 + b"\r\n")
    stop.wait(1)


def says(*lines):
    """Sends the first line, then one more for each that comes in."""
    def serve(client, stop):
        lines_in = client.makefile("rb")
        for line in lines:
            client.sendall(line.encode("latin-1"))
            if not lines_in.readline():
                return
    return serve


def after(seconds, serve):
    def late(client, stop):
        if not stop.wait(seconds):
            serve(client, stop)
    return late


class StrangeServer:
    """`serve` may be changed at any time; it gets each client in a thread of its own."""

    def __init__(self, serve=silent, port=0):
        self.serve, self.stop = serve, threading.Event()
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client):
        with client, contextlib.suppress(OSError):
            self.serve(client, self.stop)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
