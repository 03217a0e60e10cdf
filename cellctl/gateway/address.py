"""The address that the gateway listens on.

The rule kept here: until there is security, only this computer may connect, and a busy port is a sentence.
"""

import errno
import ipaddress
import socket


class BindError(Exception):
    """The address cannot be listened on; the text is a sentence for a person."""


def bind(address: str) -> socket.socket:
    """Listen on ``HOST:PORT`` (port 0: the system chooses). BindError if it is malformed, busy or not loopback."""
    host, port = parsed(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise BindError(_why(address, error)) from error
    listener.setblocking(False)
    return listener


def url(listener: socket.socket) -> str:
    """Where a browser finds the listener."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def parsed(address: str) -> tuple[str, int]:
    """Host and port. BindError if it is malformed or not loopback."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise BindError(f"{address!r} is not an address like 127.0.0.1:8080.")
    if host == "localhost":
        host = "127.0.0.1"
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise BindError(f"{host!r} is not an IP address; use one like 127.0.0.1:8080.") from None
    if not loopback:
        raise BindError(
            f"{address} can be reached from the network. This version has no sign-in yet and serves only this "
            f"computer: use 127.0.0.1:{port}. Access from the network comes with security, in a later version."
        )
    return host, int(port)


def _why(address: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"{address} is in use by another program. Choose another port with --http HOST:PORT."
        case errno.EACCES:
            return f"This user may not listen on {address}. Choose a port above 1023."
        case _:
            return f"Cannot listen on {address}: {error.strerror}."
