"""What must not leave the computer, taken out of a text: secrets, private keys, names of people, e-mail addresses.

The rule kept here: what is known to be a secret or a name goes wherever it stands, in every form that it may have got;
what only looks like one goes too. A person is the same `person-1` in the whole bundle, so that one can still follow.
"""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

#: Shorter ones are met everywhere by chance; where they are told as a password they go all the same.
_SECRET_MIN = 4
_NAME_MIN = 2

GONE = "***"

# Everything that repeats is bounded: a text of one endless word takes no longer than another.
_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
)
_KEY_END = re.compile(r"\A(?:(?!-----BEGIN).)*-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----", re.DOTALL)
_USERINFO = re.compile(r"(?<=://)[^\s/@\"'<>]{1,300}@")
_MAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")

_IS = r"""[\w.-]{0,40} ["']? \s{0,40} (?: := | [:=] ) \s{0,40} )"""
_VALUE = r"""( "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | [^\s,;}\])"'\#]+ )"""
_WORDS = "password | passwd | passphrase | pwd | secret | credential | api_?key | private_?key"

#: `password: x`, `"PW" = 'x'`, `API_TOKEN=x`. A plain number after a word of the second kind counts something.
_TOLD = re.compile(rf"""(?ix) ( ["']? [\w.-]{{0,40}} (?: {_WORDS} ) {_IS} {_VALUE}""")
_TOKEN = re.compile(rf"""(?ix) ( ["']? [\w.-]{{0,40}} (?: token | (?<![a-z])(?:pw|pin|user) ) {_IS} {_VALUE}""")
_HARMLESS = re.compile(r"!secret|\d+\Z|null\Z|None\Z|true\Z|false\Z|[\"']{2}\Z", re.IGNORECASE)


class Redaction:
    """Knows the secrets and the people of one cell. `control` and the like are no people."""

    NOT_PEOPLE = frozenset({"", "control", "cell", "cellctl", "root", "system", "nobody"})

    def __init__(self, secrets: Iterable[str], people: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._secrets = _any_of(form for form in forms if len(form) >= _SECRET_MIN)
        names = dict.fromkeys(name.strip() for name in people)
        known = [name for name in names if name.lower() not in self.NOT_PEOPLE and len(name) >= _NAME_MIN]
        self._people = {name.casefold(): f"person-{number}" for number, name in enumerate(known, 1)}
        self._names = _any_of((form for name in known for form in (name, _in_json(name))), word=True)
        self._people |= {_in_json(name).casefold(): self._people[name.casefold()] for name in known}

    def text(self, text: str) -> str:
        """The text without all of it."""
        text = _KEY_END.sub("<private key>", _KEY.sub("<private key>", text))
        if self._secrets:
            text = self._secrets.sub(GONE, text)
        text = _USERINFO.sub(f"{GONE}@", text)
        text = _TOLD.sub(_told, text)
        text = _TOKEN.sub(_told, text)
        text = _MAIL.sub("<e-mail>", text)
        if self._names:
            text = self._names.sub(lambda found: self._people[found[0].casefold()], text)
        return text


def _told(found: re.Match[str]) -> str:
    """Keep `!secret name`, which is only a name, and for tokens and the like what is a plain number or nothing."""
    value = found[2]
    numbers = found.re is _TOKEN
    if value.lower().startswith("!secret") or (numbers and _HARMLESS.match(value)):
        return found[0]
    mark = value[0] if value[0] in "\"'" else ""
    return f"{found[1]}{mark}{GONE}{mark}"


def _forms(secret: str) -> Iterable[str]:
    """The secret, and what it becomes in JSON, in an address, and in base64 wherever it begins there."""
    yield secret
    yield _in_json(secret)
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret, safe="")
    yield quote(secret)
    data = secret.encode()
    yield data.hex()
    if len(data) >= _SECRET_MIN:
        for before in range(3):
            code = base64.b64encode(bytes(before) + data).decode()
            first, last = (before * 8 + 5) // 6, (before + len(data)) * 8 // 6
            yield code[first:last]
            yield code[first:last].replace("+", "-").replace("/", "_")


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _any_of(forms: Iterable[str], *, word: bool = False) -> re.Pattern[str] | None:
    """One pattern for all, the longest first; None if there is none."""
    parts = [re.escape(form) for form in sorted(set(forms), key=len, reverse=True)]
    if not parts:
        return None
    joined = "|".join(parts)
    return re.compile(rf"(?<!\w)(?:{joined})(?!\w)", re.IGNORECASE) if word else re.compile(joined)
