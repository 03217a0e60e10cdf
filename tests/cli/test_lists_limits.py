"""Lists that are small and costly: they are read in a moment, or refused."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cellctl.cli.terminal import INVALID
from cellctl.commission.lists.csv_list import read_csv
from cellctl.commission.lists.listing import Listing, rows_of
from cellctl.commission.lists.nodeset import read_nodeset
from cellctl.commission.lists.xml_source import read_xml
from cellctl.commission.merge import merge
from cellctl.commission.naming import names_of, word
from tests.cli.samples import written
from tests.cli.terminal import run

#: What used to take minutes takes a second; the computer may be busy.
MOMENT_S = 10.0


def seconds(act: Callable[[], object]) -> float:
    """Of this process alone, so that what else runs here does not count."""
    begin = time.process_time()
    act()
    return time.process_time() - begin


@pytest.mark.parametrize(
    "paths",
    [
        [("same",)] * 20_000,
        [("a",) * 2000] * 300,
        [(f"x{number}", *("b",) * 500) for number in range(2000)],
    ],
    ids=["equal", "deep", "deep and different at the top"],
)
def test_names_that_are_alike_cost_little(paths: list[tuple[str, ...]]) -> None:
    assert seconds(lambda: names_of(paths)) < MOMENT_S
    assert len(set(names_of(paths))) == len(paths)


def test_names_are_as_long_as_they_have_to_be() -> None:
    paths = [("A", "1st", "Pos"), ("B", "1st", "Pos"), ("Ünit", "class"), ("-", "class"), ("B", "pos_2"), (), ("", "?")]
    assert names_of(paths, {"a_1st_pos"}) == [
        "a_1st_pos_2", "b_1st_pos", "unit_class", "class_", "pos_2", "signal", "signal_2"
    ]  # fmt: skip
    assert names_of([("x", "y"), ("z", "y"), ("x_y",)]) == ["x_y", "z_y", "x_y_2"]
    assert names_of([("if",), ("if",), ("if_2",)], {"if_"}) == ["if_2", "if_3", "if_2_2"]
    assert word("AxisTwo 3°") == "axis_two_3deg"


def test_a_large_list_is_laid_beside_a_profile_in_a_moment(tmp_path: Path) -> None:
    count = 2500
    mine = "cellctl: 1\nprofile: {id: p, version: 1, protocol: modbus}\nsignals:\n"
    mine += "".join(f'  s{number}: {{type: bool, read: "coil {number}"}}\n' for number in range(count))
    path = written(tmp_path / "p.yaml", mine)
    head = "name,address\n"
    moved = "".join(f"s{number},coil {number + 20_000}\n" for number in range(count))
    new = "".join(f"n{number},coil {number + 30_000}\n" for number in range(17_000))
    file = written(tmp_path / "a.csv", head + new + moved)
    rows = rows_of(read_csv(file))
    added: list[str] = []
    assert seconds(lambda: added.extend(merge(path, "modbus", {}, rows).added)) < MOMENT_S / 2
    assert added == [f"n{number}" for number in range(17_000)]


def chain(steps: int, spaces: int = 1) -> str:
    """A variable below so many objects, one below the other."""
    uris = "".join(f"<Uri>urn:{number}</Uri>" for number in range(spaces))
    nodes = "".join(
        f'<UAObject NodeId="ns=1;i={number}" BrowseName="1:O" ParentNodeId="ns=1;i={number - 1}"/>'
        for number in range(1, steps)
    )
    last = f'<UAVariable NodeId="ns=1;s=V" BrowseName="1:V" DataType="Double" ParentNodeId="ns=1;i={steps - 1}"/>'
    return f"<UANodeSet><NamespaceUris>{uris}</NamespaceUris>{nodes}{last}</UANodeSet>"


def test_nodes_that_stand_too_deep_are_told(tmp_path: Path) -> None:
    assert run("import", "nodeset", str(written(tmp_path / "a.xml", chain(32)))).code == 0
    shown = run("import", "nodeset", str(written(tmp_path / "b.xml", chain(33))))
    told = "b.xml:1: ns=1;s=V has more than 32 nodes above it"
    assert (shown.code, shown.out, told in shown.err) == (INVALID, "", True), shown.err


def test_many_namespaces_cost_little(tmp_path: Path) -> None:
    text = chain(2, spaces=5000).replace("</UANodeSet>", "")
    text += "".join(
        f'<UAVariable NodeId="ns=2;s=V{number}" BrowseName="1:V{number}" DataType="Int16"/>' for number in range(2000)
    )
    file = written(tmp_path / "a.xml", f"{text}</UANodeSet>")
    found: list[Listing] = []
    assert seconds(lambda: found.append(read_nodeset(file))) < MOMENT_S / 2
    assert found[0].sections["opcua"] == {"namespace": "urn:1"}
    assert [tag.keys["read"] for tag in found[0].tags[:2]] == ["ns=urn:0;s=V", "s=V0"]


def test_text_in_many_pieces_costs_little(tmp_path: Path) -> None:
    file = written(tmp_path / "a.xml", f"<UANodeSet>{('x' * 20 + '<b>y</b>') * 400_000}</UANodeSet>")
    assert seconds(lambda: read_xml(file, "UANodeSet")) < MOMENT_S
    small = read_xml(written(tmp_path / "b.xml", "<UANodeSet>a<b> c&#228; </b>d</UANodeSet>"), "UANodeSet")
    assert (small.text, small.text_of("b")) == ("ad", "cä")
