"""A Modbus device without its wire: the register tables of its model, read and written as the profile says.

The rule kept here: rows are decoded and encoded exactly as on the wire, and the model may refuse as the device would.
"""

import struct
from functools import partial

from cellctl.driver import (
    Contact,
    Device,
    DriverError,
    Link,
    Unwilling,
    Value,
)
from cellctl_drivers.modbus.conversation import Conversation
from cellctl_drivers.modbus.held import Held
from cellctl_drivers.modbus.looking import BlockLook, Registers, bytes_of, refusal_of
from cellctl_drivers.modbus.polling import Polled
from cellctl_drivers.modbus.profile import Profile
from cellctl_drivers.modbus.rows import Row, Table
from cellctl_drivers.wire.direct import Direct, Plan, reached
from cellctl_drivers.wire.epoch import Echo, Epoch
from cellctl_drivers.wire.orders import RefusalError

_WRITES = {Table.COIL: (5, 15), Table.HOLDING: (6, 16)}  # function codes for one value, and for several


class DirectModbus(Conversation):
    """The driver of one Modbus device that is touched directly."""

    def __init__(self, device: Device, contact: Contact) -> None:
        super().__init__()
        self._device, self._profile = device, Profile(device)
        self._contact = contact
        self._registers: Registers = contact.wire
        self._looks: list[BlockLook] = []

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError)."""
        profile, self._link, self._registers = self._profile, link, self._contact.wire
        self._epoch, self._echo = Epoch(), Echo()
        misses = 4 if profile.rtu else 1
        await reached(self._device, self._contact, profile.timeout_s * misses)
        link.up(await self._begin())
        self._held = Held(profile.targets)
        blocks = [Polled(block, profile.targets, link, profile.blocks) for block in profile.blocks()]
        self._looks = [BlockLook(block, self._registers, patient=profile.busy_s > 0) for block in blocks]
        beats = [] if profile.watchdog is None else [(profile.watchdog.every_ns, self._feed)]
        beats += [(every_ns, partial(self._renew, name)) for name, every_ns in profile.renewals()]
        await Direct(self._device, link, self._contact, Plan(self._looks, self, profile.timeout_s, misses, beats)).run()

    def heard(self) -> None:
        """A Modbus device never speaks unasked."""

    async def _hear(self) -> None:
        """It is there: it was reached."""

    def _forget(self) -> None:
        for look in self._looks:
            look.forget()

    def _feed(self) -> None:
        watchdog = self._profile.watchdog
        assert watchdog is not None
        try:
            self._put(watchdog.row, self._sign(watchdog))
            if (echo := watchdog.echo) is not None:
                told = bytes_of(self._registers, echo.table, echo.start, echo.count)
                self._listen_to(echo.decode(told, 0), watchdog)
        except RefusalError as refusal:
            raise DriverError(f"{self._profile.id} does not take its watchdog: {refusal}") from refusal

    def _renew(self, name: str) -> None:
        if (held := self._held.get(name)) is not None:
            try:
                self._put(*held)
            except RefusalError as refusal:
                self._refused(name, refusal)

    async def _read(self, row: Row) -> Value:
        self._contact.settle()
        return row.decode(bytes_of(self._registers, row.table, row.start, row.count), 0)

    async def _write(self, row: Row, data: bytes) -> None:
        if self._contact.busy:  # else it is at the present as it is
            self._contact.settle()
        self._put(row, data)
        self._contact.settle()

    def _put(self, row: Row, data: bytes) -> None:
        words = list(data) if row.table.bits else [word for (word,) in struct.iter_unpack(">H", data)]
        try:
            several = len(words) > 1 or not self._profile.write_single
            self._registers.write(_WRITES[row.table][several], row.start, words)
        except Unwilling as refusal:
            raise refusal_of(refusal) from refusal
