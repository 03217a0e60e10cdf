"""One device at a time, without the cell: `cellctl io`."""

import click

from cellctl.cli.io_lease import leases
from cellctl.cli.io_points import call, read, watch, write
from cellctl.cli.io_test import test


@click.group()
def io() -> None:
    """Read, write and test the points of one device, with no cell running: for commissioning.

    NAME is DEVICE or DEVICE.SIGNAL of the cell here (or of --cell); or, with --profile and --at, only SIGNAL.
    """


for each in (read, watch, write, call, test, leases):
    io.add_command(each)
