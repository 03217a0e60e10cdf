"""Which devices are trusted: `cellctl cert list|trust|renew`."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellctl.cli.terminal import FAILED, Failure, document, say, table

if TYPE_CHECKING:
    from cellctl.pki import Kept, Pki

SCHEMA = "cellctl.cert/1"

_STATE = click.option("--state", type=click.Path(path_type=Path), help="The state folder of the cell.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def cert() -> None:
    """The certificates by which devices and this computer know each other, where the connection is encrypted.

    A device that nobody has trusted is not connected to: it is listed as rejected, and waits for a person.
    """


@cert.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@_STATE
def list_(state: Path | None, as_json: bool) -> None:
    """List the certificates: our own, those that are trusted, and those that were rejected."""
    kept = _kept(_pki(state))
    if as_json:
        document(SCHEMA, {"certificates": [_plain(each) for each in kept]})
    elif not kept:
        say("There are none yet. They come with the first device that encrypts.")
    else:
        head = ("", "device", "thumbprint", "until", "name", "file")
        rows = [(each.place, each.device, each.shown.thumbprint, _until(each), _name(each), each.path) for each in kept]
        table(head, rows)


@cert.command()
@click.argument("device_or_thumbprint")
@_YES
@_STATE
def trust(device_or_thumbprint: str, yes: bool, state: Path | None) -> None:
    """Trust the certificate that DEVICE showed last, named by the device or by its thumbprint.

    Compare the thumbprint with the one that the device itself shows: an answer from the right address proves nothing.
    With --yes, one that comes instead of a trusted one has to be named by its thumbprint.
    """
    pki = _pki(state)
    kept = _kept(pki)
    found = _meant(device_or_thumbprint, [each for each in kept if each.place == "rejected"])
    before = [each for each in kept if each.place == "trusted" and each.device == found.device]
    say(f"{found.device} shows this certificate:")
    for label, value in (
        ("thumbprint", found.shown.thumbprint),
        ("name", _name(found)),
        ("holds", f"{found.shown.begin:%Y-%m-%d} to {found.shown.end:%Y-%m-%d}"),
        *[("instead of", each.shown.thumbprint) for each in before],
    ):
        say(f"  {label + ':':<12} {value}")
    if yes and before and device_or_thumbprint == found.device:
        raise Failure(
            f"Nothing was trusted: another certificate of {found.device} is trusted already."
            " Compare the thumbprint, and name it in place of the device."
        )
    if not yes and not click.confirm(f"Is it that of {found.device}?", err=True):
        raise click.Abort
    try:
        pki.trust(found.device, found.der)
    except LookupError as error:
        raise Failure(f"Nothing was trusted: {error}. Look at it with 'cellctl cert list'.") from error
    except OSError as error:
        raise _unwritten(pki, error) from error
    in_no_cell = ":" in found.device  # it has no name but its address
    click.echo(f"{found.device} is trusted.{'' if in_no_cell else ' The cell connects by itself.'}")


@cert.command()
@_YES
@_STATE
def renew(yes: bool, state: Path | None) -> None:
    """Make another certificate for this computer. Every device refuses us until it is told to trust it."""
    pki = _pki(state, there=False)
    if not yes and not click.confirm("Devices trust the present one. Make another?", err=True):
        raise click.Abort
    try:
        own = pki.renew()
        (made,) = [each for each in pki.kept() if each.place == "own"]
    except OSError as error:
        raise _unwritten(pki, error) from error
    click.echo(f"{own.certificate}  {made.shown.thumbprint}")
    say("Have every device trust it: until then they refuse the next connection.")


def _pki(state: Path | None, *, there: bool = True) -> "Pki":
    """The certificates of the state folder that is meant: the one named, else a `.cellctl` folder here or above."""
    from cellctl.pki import PKI_FOLDER, Pki
    from cellctl.records import STATE_FOLDER

    if state is not None:
        if there and not state.is_dir():
            raise Failure(f"There is no state folder {state}.")
        return Pki(state / PKI_FOLDER)
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / STATE_FOLDER).is_dir():
            return Pki(folder / STATE_FOLDER / PKI_FOLDER)
    raise Failure("There is no state folder here. Name it with --state.")


def _kept(pki: "Pki") -> "list[Kept]":
    try:
        return pki.kept()
    except OSError as error:
        raise _unwritten(pki, error) from error
    except ImportError as error:
        raise Failure("Certificates cannot be read: pip install 'cellctl[opcua]'.", FAILED, str(error)) from error


def _meant(name: str, rejected: "list[Kept]") -> "Kept":
    """The rejected certificate of that device or thumbprint."""
    from cellctl.gateway.told import unknown

    wanted = _bare(name)
    for each in rejected:
        if name == each.device or (wanted and wanted == _bare(each.shown.thumbprint)):
            return each
    if not rejected:
        raise Failure(
            "No device waits to be trusted. It shows its certificate when the cell, or 'cellctl io', connects."
        )
    raise Failure(unknown("rejected certificate", name, [each.device for each in rejected]))


def _bare(thumbprint: str) -> str:
    return "".join(sign for sign in thumbprint.upper() if sign not in " :-")


def _name(kept: "Kept") -> str:
    return ", ".join(kept.shown.uris) or kept.shown.subject


def _until(kept: "Kept") -> str:
    end = kept.shown.end
    return f"{end:%Y-%m-%d}" + (" (expired)" if end < datetime.fromtimestamp(time.time(), UTC) else "")


def _plain(kept: "Kept") -> dict[str, object]:
    shown = kept.shown
    return {
        "place": kept.place,
        "device": kept.device,
        "thumbprint": shown.thumbprint,
        "subject": shown.subject,
        "uris": list(shown.uris),
        "begin": shown.begin.isoformat(),
        "end": shown.end.isoformat(),
        "path": str(kept.path),
    }


def _unwritten(pki: "Pki", error: Exception) -> Failure:
    return Failure(f"The certificates in {pki.folder} cannot be used.", FAILED, str(error))
