"""Why a device cannot be reached, in words for a person.

The rule kept here: said once, by what it means, without the words of the operating system about a call of ours.
"""

import errno
import os
import socket
import ssl

#: What the two most frequent errors mean, of which nothing more is to be known.
_MEANS = {
    errno.ECONNREFUSED: "nothing listens there",
    errno.EHOSTUNREACH: "no way leads there, or nothing is switched on there",
    errno.ENETUNREACH: "no way leads to that network",
}


def why(error: OSError) -> str:
    """What went wrong, without the place in OpenSSL or asyncio where it was noticed; empty if nobody says."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"it is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"no encrypted connection ({(error.reason or 'refused').replace('_', ' ').lower()})"
    if isinstance(error, socket.gaierror):
        return f"nobody knows this name ({error.strerror})"
    if str(error).startswith("Multiple exceptions") and str(error).count(f"[Errno {errno.ECONNREFUSED}]") > 1:
        return _MEANS[errno.ECONNREFUSED]  # a name with several addresses, of which asyncio tells as one text
    if error.errno in _MEANS:
        return _MEANS[error.errno]
    if error.errno is not None and "Connect call failed" in str(error):
        return os.strerror(error.errno)
    return error.strerror or str(error)


def cause(error: OSError) -> OSError | None:
    """The detail below the words; None if it would only say the same again."""
    return None if "Connect call failed" in str(error) else error
