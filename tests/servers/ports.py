"""Which port is free on loopback?"""

import socket


def free_port() -> int:
    """A port that nobody listens on now. Another program may take it first: rare, and then start fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
