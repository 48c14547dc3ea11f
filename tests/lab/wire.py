"""A server and a stranger in network namespaces of their own, joined by one wire: addresses that are really foreign.

    with Wire() as wire:
        with wire.at("server"):     # this thread, and what it starts, lives there
            ...
"""
import contextlib
import ctypes
import os
import subprocess
import uuid

SERVER, STRANGER, NEIGHBOUR = "198.51.100.1", "203.0.113.66", "198.51.100.66"
SERVER6, STRANGER6 = "2001:db8:1::1", "2001:db8:bad::66"
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def set_namespace(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Wire:
    """Two namespaces: "server" has SERVER and SERVER6, "stranger" has STRANGER, NEIGHBOUR and STRANGER6."""

    def __init__(self):
        self.name = "mg" + uuid.uuid4().hex[:8]

    def __enter__(self):
        server, stranger = self.name + "-a", self.name + "-b"
        try:
            for space in (server, stranger):
                ip("netns", "add", space)
                ip("-n", space, "link", "set", "lo", "up")
            ip("link", "add", self.name + "a", "netns", server, "type", "veth", "peer", "name", self.name + "b", "netns", stranger)
            self._address(server, self.name + "a", [SERVER + "/24", SERVER6 + "/64"], ["203.0.113.0/24", "2001:db8:bad::/64"])
            self._address(stranger, self.name + "b", [STRANGER + "/24", NEIGHBOUR + "/24", STRANGER6 + "/64"],
                          [SERVER + "/32", "2001:db8:1::/64"])
        except BaseException:
            self.__exit__()
            raise
        return self

    @staticmethod
    def _address(space, link, addresses, routes):
        for address in addresses:
            family = ["-6"] if ":" in address else []
            ip("-n", space, *family, "address", "add", address, "dev", link, *(["nodad"] if family else []))
        ip("-n", space, "link", "set", link, "up")
        for route in routes:
            ip("-n", space, *(["-6"] if ":" in route else []), "route", "replace", route, "dev", link)

    def __exit__(self, *_):
        for space in ("-a", "-b"):
            subprocess.run(["ip", "netns", "delete", self.name + space], capture_output=True)

    @contextlib.contextmanager
    def at(self, who):
        """This thread moves there; sockets and processes it makes meanwhile stay."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}{'-a' if who == 'server' else '-b'}", os.O_RDONLY)
        try:
            set_namespace(there)
            yield self
        finally:
            set_namespace(home)
            os.close(there)
            os.close(home)
