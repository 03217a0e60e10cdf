"""Every code that a check can give is explained."""

import re
from pathlib import Path

import pytest

from cellctl import model
from cellctl.model.codes import CODES, explain

SOURCES = sorted(Path(model.__file__).parent.glob("*.py"))


def test_codes_and_explanations_are_the_same_set():
    given = {code for file in SOURCES for code in re.findall(r'"([EW]\d{3})"', file.read_text("utf-8"))}
    assert given == set(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_an_explanation_says_all(code: str):
    page = explain(code)
    assert page.code == code
    assert page.title
    assert page.meaning.endswith(".")
    assert page.wrong != page.right
    assert page.wrong in str(page).replace("\n    ", "\n")


def test_small_letters_will_do():
    assert explain("e131") == CODES["E131"]


def test_an_unknown_code_is_a_key_error():
    with pytest.raises(KeyError):
        explain("E999")
