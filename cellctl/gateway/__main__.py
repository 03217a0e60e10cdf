"""`python -m cellctl.gateway --state DIR --http HOST:PORT`: the gateway as a process of its own."""

import argparse
import asyncio
import gc
import sys
from pathlib import Path

from cellctl.gateway.address import BindError, bind, url


def main() -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    parser = argparse.ArgumentParser(prog="cellctl.gateway", description="The web page and the API of one cell.")
    parser.add_argument("--state", type=Path, required=True, help="the state folder of the running cell")
    parser.add_argument("--http", required=True, metavar="HOST:PORT", help="where to listen; loopback only")
    arguments = parser.parse_args()
    try:
        listener = bind(arguments.http)
    except BindError as error:
        print(error, file=sys.stderr)
        return 1
    gc.disable()  # nothing that is imported is garbage: looking for it takes a tenth of the start
    from cellctl.gateway.process import serve_until_told  # after the port is ours: a busy one is told at once

    gc.freeze()
    gc.enable()
    print(f"listening on {url(listener)}", flush=True)
    asyncio.run(serve_until_told(arguments.state, listener))
    return 0


if __name__ == "__main__":
    sys.exit(main())
