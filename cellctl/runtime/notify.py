"""What systemd is told of control: that it is ready, and, again and again, that its cell takes its turns.

The protocol is that of sd_notify(3): a datagram to the socket in NOTIFY_SOCKET. The rule kept here: without systemd
nothing is told, and nobody to hear it is no trouble.
"""

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

#: The service manager is told so many times in the time after which it would end a silent process.
TIMES = 3


class Notify:
    """Tells the service manager that started this process, if one did.

    Takes what it needs out of `environment`, so that no child believes that it is meant.
    """

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        told = os.environ if environment is None else environment
        address, limit_us, pid = (told.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"))
        watched = limit_us.isdigit() and pid in ("", str(os.getpid()))
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.every_s = int(limit_us) / 1e6 / TIMES if watched and address else None
        """How often `alive` must be told at least, s; None if nobody waits for it."""

    def ready(self) -> None:
        """Control serves its cell."""
        self._tell("READY=1")

    def alive(self) -> None:
        """The cell takes its turns."""
        self._tell("WATCHDOG=1")

    def _tell(self, message: str) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as there:
                there.sendto(message.encode(), self._address)
