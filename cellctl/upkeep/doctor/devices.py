"""What the cell is connected to: its files, serial ports, the address of its page, certificates and secrets."""

import grp
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cellctl.gateway.address import BindError, bind
from cellctl.model import FilesInvalid
from cellctl.pki import OWN, PKI_FOLDER, TRUSTED, Kept, Pki
from cellctl.upkeep.doctor.finding import ERROR, OK, WARNING, Finding, Place
from cellctl.upkeep.doctor.records import running

#: A certificate that ends sooner is renewed now.
_SOON_DAYS = 30

_PORT = re.compile(r"(/dev/[^?#]+)")
_BY_ID = "/dev/serial/by-id/"


def files(place: Place) -> Iterator[Finding]:
    """Whether the cell's files pass the check."""
    if place.cell is None:
        return
    errors = [each for each in place.problems if each.severity == "error"]
    if errors:
        yield Finding(ERROR, "files", f"{len(errors)} mistakes in {place.cell}", f"cellctl check {place.cell}")
    elif place.problems:
        text = f"the files pass, with {len(place.problems)} warnings"
        yield Finding(WARNING, "files", text, f"cellctl check {place.cell}")
    else:
        yield Finding(OK, "files", f"the files in {place.cell} pass the check")


def serial_ports(place: Place) -> Iterator[Finding]:
    """Whether the serial ports of the cell are there and may be opened; without a cell, those that are there."""
    wanted: dict[str, list[str]] = {}
    for device in place.model.devices.values() if place.model else ():
        match = _PORT.search(device.address)
        if match and not device.simulated:
            wanted.setdefault(match[1], []).append(device.id)
    for port, names in wanted.items():
        yield _port(port, ", ".join(names))
    if place.model is None:
        for port in sorted(map(str, [*Path("/dev").glob("ttyUSB*"), *Path("/dev").glob("ttyACM*")])):
            yield _port(port, "")


def _port(port: str, names: str) -> Finding:
    about = f"port of {names}" if names else "serial port"
    if not os.path.exists(port):
        there = sorted(each.name for each in Path(_BY_ID).glob("*")) if Path(_BY_ID).is_dir() else []
        other = f" There are: {', '.join(there)}." if there else " No serial adapter is plugged in."
        return Finding(ERROR, about, f"{port} is not there", f"Plug it in, or mend `at:` in cell.yaml.{other}")
    if not os.access(port, os.R_OK | os.W_OK):
        try:
            group = grp.getgrgid(os.stat(port).st_gid).gr_name
        except KeyError:
            group = str(os.stat(port).st_gid)
        do = f"Put the user into the group {group}: usermod -aG {group} USER, and log in anew."
        return Finding(ERROR, about, f"this user may not open {port}", do)
    if re.search(r"tty(USB|ACM)\d+$", port) and names:
        do = f"Name it by {_BY_ID}..., which stays the same."
        return Finding(WARNING, about, f"{port} may be another device after the next restart", do)
    return Finding(OK, about, f"{port} is there and may be opened")


def http(place: Place) -> Iterator[Finding]:
    """Whether the page can be served; a cell that runs has the address itself."""
    if place.http == "off" or running(place.state):
        return
    try:
        bind(place.http).close()
        yield Finding(OK, "page", f"{place.http} is free")
    except BindError as error:
        yield Finding(ERROR, "page", str(error).rstrip("."), "Choose another with --http, or end what listens there.")


def certificates(place: Place) -> Iterator[Finding]:
    """Whether any certificate has ended, or does so soon; and who waits to be trusted."""
    try:
        kept = Pki(place.state / PKI_FOLDER).kept()
    except ImportError:
        return
    waiting = [each.device for each in kept if each.place not in (OWN, TRUSTED)]
    ends = [finding for each in kept if each.place in (OWN, TRUSTED) for finding in _ends(each)]
    yield from ends
    if waiting:
        text = f"{', '.join(waiting)} showed a certificate that nobody has trusted"
        yield Finding(WARNING, "certificates", text, "cellctl cert list, then cellctl cert trust DEVICE.")
    elif kept and not ends:
        yield Finding(OK, "certificates", f"{len(kept)} certificates hold for more than {_SOON_DAYS} days")


def _ends(kept: Kept) -> Iterator[Finding]:
    whose = "our own certificate" if kept.place == OWN else f"the certificate of {kept.device}"
    do = "cellctl cert renew, then have the devices trust it." if kept.place == OWN else "Renew it in the device."
    days = (kept.shown.end - datetime.fromtimestamp(time.time(), UTC)).days
    if wrong := kept.shown.holds(time.time_ns()):
        yield Finding(ERROR, "certificates", f"{whose} {wrong}", do)
    elif days < _SOON_DAYS:
        yield Finding(WARNING, "certificates", f"{whose} ends in {days} days", do)


def secrets(place: Place) -> Iterator[Finding]:
    """Whether the secrets that the cell names are here, and for their owner only."""
    if place.model is None or not place.model.secrets:
        return
    try:
        place.model.revealed(place.state, place.model.equipment.simulated)
        yield Finding(OK, "secrets", f"{len(place.model.secrets)} secrets are here, for their owner only")
    except FilesInvalid as invalid:
        for problem in invalid.problems:
            yield Finding(ERROR, "secrets", problem.message, problem.hint)
