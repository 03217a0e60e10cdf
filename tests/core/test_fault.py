"""Policies: how often by itself, and what then."""

import pytest

from cellctl.core.fault import REACTIONS, Policy, parse_policy


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("retry 1 then ask", Policy(1, "ask")),
        ("  retry  12  then  hold ", Policy(12, "hold")),
        *[(reaction, Policy(0, reaction)) for reaction in REACTIONS],
    ],
)
def test_a_policy(text: str, policy: Policy) -> None:
    assert parse_policy(text) == policy


@pytest.mark.parametrize("text", ["", "retry 2", "retry then ask", "retry 1000 then ask", "ask hold", "Ask", "hold!"])
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(ValueError, match="is not a policy such as 'retry 2 then ask'"):
        parse_policy(text)
