"""Lists of signals become profiles: spreadsheets, Kepware, node sets, CODESYS."""

import re
from pathlib import Path

import pytest

from cellctl.cli.terminal import INVALID
from cellctl.commission.draft import Draft, Row, scalar
from cellctl.model.problems import Report
from cellctl.model.yaml_source import read
from tests.cli.samples import LISTS, PRESS, passes, rows, written
from tests.cli.terminal import run


def imported(kind: str, file: Path, *words: str) -> dict[str, str]:
    """The rows of the profile that is printed, which passes the check."""
    shown = run("import", kind, str(file), *words)
    assert shown.code == 0, shown.err
    written = file.with_suffix(".imported.yaml") if LISTS not in file.parents else None
    if written is not None:
        written.write_text(shown.out, encoding="utf-8")
        passes(written)
    return rows(shown.out)


# --- CSV --------------------------------------------------------------------------------------------------------


def test_the_documented_columns(tmp_path: Path) -> None:
    assert imported("csv", written(tmp_path / "press.csv", PRESS)) == {
        "force_set": '{type: int, unit: N, read: "holding 10 uint16", write: "holding 10 uint16", '
        'text: "what it shall press with"}',
        "force": '{type: float, unit: N, read: "input 12 float32"}',
        "temperature": '{type: int, unit: degC, read: "input 19 int16", text: "of the ram, in front"}',
        "guard_closed": '{type: bool, read: "discrete 3"}',
        "door": '{type: bool, read: "holding 29 bit 3"}',
        "serial": '{type: text, read: "holding 40 text 16"}',
        "heater": '{type: bool, read: "coil 5", write: "coil 5"}',
    }


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encoding_and_delimiter_are_found(tmp_path: Path, encoding: str, delimiter: str) -> None:
    head = "Presse Nr. 5\n\nTag Name,Register Type,Register,Data Type,Units,R/W,Factor\n"
    text = f"{head}Öl Druck,Input Register,7,UINT,bar,RO,0.1\n"
    file = written(tmp_path / "list.csv", text.replace(",", delimiter), encoding)
    assert imported("csv", file) == {"ol_druck": '{type: float, unit: bar, read: "input 7 uint16", scale: 0.1}'}
    said = run("import", "csv", str(file)).err
    assert ("Windows-1252" in said) == (encoding == "cp1252")


def test_a_number_may_have_a_comma(tmp_path: Path) -> None:
    file = written(tmp_path / "list.csv", "Name;Address;Scale;Type\nP;40001;0,01;int16\n")
    assert "scale: 0.01" in imported("csv", file)["p"]


def test_an_offset_is_taken_beside_an_address_and_is_one_where_there_is_no_other(tmp_path: Path) -> None:
    text = "Name,Register,Table,Type,Scale,Offset\nT,7,input,int16,0.1,-40\nN,8,input,int16,1,5\nF,9,input,int16,,0.5\n"
    assert imported("csv", written(tmp_path / "a.csv", text)) == {
        "t": '{type: float, read: "input 7 int16", scale: 0.1, offset: -40}',
        "n": '{type: int, read: "input 8 int16", offset: 5}',
        "f": '{type: float, read: "input 9 int16", offset: 0.5}',
    }
    file = written(tmp_path / "b.csv", "Name,Offset,Table\nT,7,input\n")
    assert imported("csv", file) == {"t": '{type: int, read: "input 7 uint16"}'}
    file = written(tmp_path / "c.csv", "Name,Node,Type,Scale,Offset\nT,ns=urn:a;s=T,INT,0.1,-40\n")
    assert imported("csv", file)["t"].endswith("scale: 0.1, offset: -40}")
    file = written(tmp_path / "e.csv", "name,address,scale,offset\na,00001,1,0\nb,00002,0.1,5\n")
    assert imported("csv", file) == {
        "a": '{type: bool, read: "coil 0"}',
        "b": '{type: bool, read: "coil 1"}  # scale 0.1 and offset 5, says the list; it is no number',
    }
    shown = run("import", "csv", str(written(tmp_path / "d.csv", "name,address,offset\na,40001,much\n")))
    assert (shown.code, "d.csv:2: 'much' is not a number" in shown.err) == (INVALID, True), shown.err


def test_every_column_that_is_not_used_is_named(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "Name,Address,Swap,Min  Value,Address,\na,40001,yes,3,40002,\n")
    assert "Note: not used: the columns 'Swap', 'Min Value', 'Address'." in run("import", "csv", str(file)).err
    assert "not used" not in run("import", "csv", str(written(tmp_path / "b.csv", PRESS))).err
    file = written(tmp_path / "c.csv", "Name,Node,Type,Kind\nT,ns=urn:a;s=T,INT,holding\n")
    assert "not used: the column 'table'" in run("import", "csv", str(file)).err


WIRE = "Name,Table,Register\na,holding,40069\nb,input,30775\nc,coil,00017\nd,input,40\n"


def test_a_number_beside_a_table_is_the_one_on_the_wire(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", WIRE)
    found = imported("csv", file)
    assert [row.partition("read: ")[2].strip('"}') for row in found.values()] == [
        "holding 40069 uint16", "input 30775 uint16", "coil 17", "input 40 uint16"
    ]  # fmt: skip
    said = run("import", "csv", str(file)).err
    assert "40069 beside a 'table' is taken as the address on the wire" in said
    assert "(3 look alike): if they count from 40001, give --addresses modicon" in said
    assert "on the wire" not in run("import", "csv", str(written(tmp_path / "b.csv", "name,table,reg\na,ir,7\n"))).err


def test_numbers_beside_a_table_count_from_40001_if_a_person_says_so(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", WIRE.replace("d,input,40\n", "d,holding,400002.3\n"))
    assert "'400002.3' beside a table is the address on the wire, at most 65535" in run("import", "csv", str(file)).err
    found = imported("csv", file, "--addresses", "modicon")
    assert [row.partition("read: ")[2].strip('"}') for row in found.values()] == [
        "holding 68 uint16", "input 774 uint16", "coil 16", "holding 1 bit 3"
    ]  # fmt: skip
    shown = run("import", "csv", str(written(tmp_path / "b.csv", WIRE)), "--addresses", "modicon")
    assert (shown.code, "b.csv:5: '40' is not of the form 40001" in shown.err) == (INVALID, True), shown.err


@pytest.mark.parametrize(("address", "modicon"), [("input 5", False), ("input 5 int16", False), ("30005", True)])
def test_an_address_that_contradicts_its_table_is_told(tmp_path: Path, address: str, modicon: bool) -> None:
    file = written(tmp_path / "a.csv", f"name,table,address\na,holding,{address}\n")
    shown = run("import", "csv", str(file), *(("--addresses", "modicon") if modicon else ()))
    assert (shown.code, "is in the table 'input'" in shown.err) == (INVALID, True), shown.err


def test_a_sign_in_a_title_hides_no_row(tmp_path: Path) -> None:
    title = 'Press\f5\x1c\u2028, "as built\n'
    file = written(tmp_path / "a.csv", f"{title}name,address\nfirst,40001\nwrong,DB1\n")
    shown = run("import", "csv", str(file), "--skip")
    assert list(rows(shown.out)) == ["first"], shown.err
    assert "a.csv:4: 'DB1'" in shown.err


def test_a_head_may_go_over_several_lines(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", 'Name,"Register\naddress"\r\nfirst,40001\r\nwrong,x\r\n')
    shown = run("import", "csv", str(file), "--skip")
    assert (list(rows(shown.out)), "a.csv:4: 'x'" in shown.err) == (["first"], True), shown.err


def test_what_is_taken_as_a_remark_is_counted(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "# of the press\nname,address\n#1 motor,40001\nb,40002\n# c,40003\n")
    shown = run("import", "csv", str(file))
    assert "Note: left out: what begins with '#', as a remark does (2)." in shown.err
    assert list(rows(shown.out)) == ["b"]


def test_a_cell_without_an_end_is_told(tmp_path: Path) -> None:
    shown = run("import", "csv", str(written(tmp_path / "a.csv", "x" * 200_000)))
    assert (shown.code, "has no head line with 'name' and 'address'" in shown.err) == (INVALID, True), shown.err
    shown = run("import", "csv", str(written(tmp_path / "b.csv", f"name,address\n{'x' * 200_000},40001\n")))
    assert (shown.code, "b.csv:2: this is no line of a table" in shown.err) == (INVALID, True), shown.err


def test_nodes_of_opc_ua(tmp_path: Path) -> None:
    text = "Name,NodeId,Data Type,Access\nWeld.Clamp,ns=urn:plc;s=Weld.Clamp,BOOL,RW\nWeld.Count,s=Weld.Count,UINT,R\n"
    file = written(tmp_path / "list.csv", text)
    assert imported("csv", file, "--namespace", "urn:plc") == {
        "clamp": '{type: bool, read: "s=Weld.Clamp", write: "s=Weld.Clamp Boolean"}',
        "count": '{type: int, read: "s=Weld.Count"}',
    }
    assert "list.csv:3: 's=Weld.Count' has no namespace" in run("import", "csv", str(file)).err


def test_names_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    text = "name,address\nAxis1.Pos,40001\nAxis2.Pos,40002\n2nd,40003\nclass,40004\nPos,40005\n"
    names = list(imported("csv", written(tmp_path / "list.csv", text)))
    assert names == ["axis1_pos", "axis2_pos", "n_2nd", "class_", "pos"]


def test_a_unit_that_is_not_known_is_told_beside_its_row(tmp_path: Path) -> None:
    file = written(tmp_path / "list.csv", "name,address,unit\na,40001,furlong\nb,40002,MW\nc,40003,KG\n")
    found = imported("csv", file)
    assert found["a"] == "{type: int, read: \"holding 0 uint16\"}  # its unit is written 'furlong'"
    assert "'MW'" in found["b"], "a million is not a thousandth"
    assert "unit: kg" in found["c"]


def test_a_list_without_bounds_is_bounded(tmp_path: Path) -> None:
    text = (LISTS / "codesys.xml").read_text().replace('maxrange="1999"', f'maxrange="{"9" * 30}"')
    shown = run("import", "codesys", str(written(tmp_path / "x.xml", text)))
    assert (shown.code, "big (1" in shown.err) == (0, True), shown.err
    nested = re.sub(
        r'basetype="T_REAL"><ArrayDim minrange="1" maxrange="2"',
        'basetype="T_A"><ArrayDim minrange="1" maxrange="60"',
        text,
    )
    shown = run("import", "codesys", str(written(tmp_path / "x.xml", nested)))
    assert (shown.code, "what comes after 4 symbols" in shown.err) == (0, True), shown.err


def test_numbers_and_texts_are_read_back_as_they_were(tmp_path: Path) -> None:
    numbers = (12345678912, 12345678912.5, 0.1, 1e-05, 1e16, -2.5e-7, 2**63, 3.0, 1 / 3, 1234567.0, -0.0)
    texts = (
        "a\u200b\U0001f600b",
        "\U0001f600",
        'q"\\q',
        "\x1b[2J\t\x85\u2028",
        "\U000e0001",
        "yes",
        "1..2",
        "1e5",
        "ä €",
    )
    rows_ = [Row(f"n{at}", {"text": value}, "n\x1b\x00\u2028ote") for at, value in enumerate((*numbers, *texts))]
    file = written(tmp_path / "p.yaml", Draft({}, {}, rows_, ("re\x07mark",)).text())
    report = Report()
    document = read(file, tmp_path, report)
    assert document is not None, report.problems
    found = [row["text"] for row in document.data["signals"].values()]
    assert found == [*numbers, *texts]
    assert [type(each) is str for each in found] == [False] * len(numbers) + [True] * len(texts)
    assert scalar(12345678912) == "12345678912"
    assert scalar(3.0) == "3"
    assert "\x1b" not in file.read_text()


def test_a_range_keeps_its_digits(tmp_path: Path) -> None:
    text = (LISTS / "press.nodeset.xml").read_text()
    assert text.count(">50<") == 1
    shown = run("import", "nodeset", str(written(tmp_path / "a.xml", text.replace(">50<", ">12345678.5<"))))
    assert "range: 0..12345678.5" in shown.out


@pytest.mark.parametrize("scale", ["nan", "1e999", "0", "ten"])
def test_a_scale_that_is_no_number_is_told(tmp_path: Path, scale: str) -> None:
    shown = run("import", "csv", str(written(tmp_path / "a.csv", f"name,address,scale\na,40001,{scale}\n")))
    assert (shown.code, "a.csv:2: " in shown.err) == (INVALID, True), shown.err


def test_what_cannot_be_written_is_told_beside_its_row(tmp_path: Path) -> None:
    file = written(tmp_path / "list.csv", "name,address,type,access\na,40001.3,bool,rw\nb,30001,int16,rw\n")
    found = imported("csv", file)
    assert all("# writable, says the list; a part of a register, or an input, is not" in row for row in found.values())
    assert not any("write:" in row for row in found.values())


def test_every_row_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    text = (
        "name,address,type,access\nok,40001,int16,r\nlow,40000,int16,r\nwhat,40001,int17,r\n,40002,int16,r\n"
        "how,40003,int16,often\ns7,DB10.DBW2,int16,r\nmw,%MW4,int16,r\nbare,17,int16,r\ntext,40009,string,r\n"
        "bit,40001.16,bool,r\nmelsec,D100,int16,r\nempty,,int16,r\nwhich,40001,bool,r\n"
    )
    file = written(tmp_path / "list.csv", text)
    shown = run("import", "csv", str(file))
    assert (shown.code, shown.out) == (INVALID, "")
    told = dict(line.removeprefix(f"{file}:").split(": ", 1) for line in shown.err.splitlines()[:-1])
    assert "they begin with 40001" in told["3"] or "they begin with 4" in told["3"]
    assert "'int17' is no type" in told["4"]
    assert "it has no name" in told["5"]
    assert "says nothing about access" in told["6"]
    assert "Siemens S7" in told["7"]
    assert "codesys" in told["8"]
    assert "'holding 17'" in told["9"]
    assert "needs a length" in told["10"]
    assert "bits, 0 to 15" in told["11"]
    assert "Mitsubishi" in told["12"]
    assert "it has no address" in told["13"]
    assert "a register has 16 bits" in told["14"]
    assert shown.err.splitlines()[-1].startswith("12 of 13 rows cannot be taken.")
    assert list(rows(run("import", "csv", str(file), "--skip").out)) == ["ok"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "has no head line with 'name' and 'address'"),
        (b"name,colour\na,red\n", "has no head line with 'address'; it has name"),
        (b"name,address\n", "has a head and nothing below it"),
        (b"PK\x03\x04 whatever", "is a workbook or an archive: save it as CSV"),
        (b"name,address\0\n", "is no text"),
        (b'name,address\n"a\nb', "has no row that can be taken"),
        (b"name,address\na,DB1.DBW0\n", "1 of 1 rows cannot be taken"),
    ],
)
def test_what_is_no_list_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    shown = run("import", "csv", str(file))
    assert (shown.code, shown.out) == (INVALID, "")
    assert told in shown.err or "cannot be taken" in shown.err


def test_a_list_that_is_not_there_and_one_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot be read" in run("import", "csv", str(tmp_path / "no.csv")).err
    monkeypatch.setattr("cellctl.commission.lists.listing.BYTES_MAX", 10)
    assert "that is no list" in run("import", "csv", str(written(tmp_path / "list.csv", PRESS))).err


# --- Kepware ----------------------------------------------------------------------------------------------------


def test_a_list_of_kepware_is_not_read_as_any_other() -> None:
    """Its scaling would be lost."""
    file = LISTS / "kepware.csv"
    shown = run("import", "csv", str(file))
    assert (shown.code, shown.out) == (INVALID, "")
    assert f"Type: cellctl import kepware {file}" in shown.err


def test_tags_of_kepware(tmp_path: Path) -> None:
    file = written(tmp_path / "tags.csv", (LISTS / "kepware.csv").read_text())
    shown = run("import", "kepware", str(file), "--skip")
    assert shown.code == 0, shown.err
    found = rows(shown.out)
    assert found == {
        "force": '{type: float, unit: N, read: "holding 0 float32", write: "holding 0 float32", every: "100 ms", '
        'text: "set force"}',
        "pressure": '{type: float, unit: bar, read: "input 9 uint16", scale: 0.01, offset: -5}',
        "door": '{type: bool, read: "holding 20 bit 3", every: "100 ms"}',
        "pump": '{type: bool, read: "coil 0", write: "coil 0", every: "100 ms"}',
        "name": '{type: text, read: "holding 49 text 20"}',
    }
    assert "First Word Low" in shown.err
    for line, told in ((8, "Siemens S7"), (9, "OPC UA server, not a Modbus"), (10, "list of values"), (11, "'BCD'")):
        assert any(f"tags.csv:{line}: " in each and told in each for each in shown.err.splitlines()), shown.err
    assert run("import", "kepware", str(file)).code == INVALID


# --- XML --------------------------------------------------------------------------------------------------------


def test_variables_of_a_node_set(tmp_path: Path) -> None:
    shown = run("import", "nodeset", str(LISTS / "press.nodeset.xml"))
    assert shown.code == 0, shown.err
    assert rows(shown.out) == {
        "force": '{type: float, unit: kN, read: "i=6101", write: "i=6101 Double", range: 0..50, '
        'text: "what the press shall press with"}',
        "state": '{type: int, read: "s=Press.State"}',
        "force_now": '{type: float, unit: kN, read: "i=6106"}  # usually 0..60',
    }
    assert 'identify: {namespace: "urn:example:press"}' in shown.out
    assert "lists and structures" in shown.err
    written(tmp_path / "p.yaml", shown.out)
    passes(tmp_path / "p.yaml")


def test_symbols_of_codesys(tmp_path: Path) -> None:
    shown = run("import", "codesys", str(LISTS / "codesys.xml"), "--plc", "PLC 1")
    assert shown.code == 0, shown.err
    assert rows(shown.out) == {
        "x_pos": '{type: float, read: "s=|var|PLC 1.Application.GVL.x.Pos", '
        'write: "s=|var|PLC 1.Application.GVL.x.Pos Float", text: "along the rail"}',
        "x_ready": '{type: bool, read: "s=|var|PLC 1.Application.GVL.x.Ready"}',
        "y_pos": '{type: float, read: "s=|var|PLC 1.Application.GVL.y.Pos", text: "along the rail"}',
        "y_ready": '{type: bool, read: "s=|var|PLC 1.Application.GVL.y.Ready"}',
        "temps_1": '{type: float, read: "s=|var|PLC 1.Application.GVL.temps[1]"}',
        "temps_2": '{type: float, read: "s=|var|PLC 1.Application.GVL.temps[2]"}',
        "mode": '{type: int, read: "s=|var|PLC 1.Application.GVL.mode", '
        'write: "s=|var|PLC 1.Application.GVL.mode Int16"}',
        "cycle": '{type: int, read: "s=|var|PLC 1.Application.GVL.cycle"}  # a TIME, in ms',
    }
    assert "big (2000 elements)" in shown.err
    assert "opcua: {namespace: CODESYSSPV3/3S/IecVarAccess}" in shown.out
    written(tmp_path / "p.yaml", shown.out)
    passes(tmp_path / "p.yaml")
    assert "'Device', which this file does not say for sure" in run("import", "codesys", str(LISTS / "codesys.xml")).err


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><UANodeSet>&c;</UANodeSet>'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "declares a document type (<!DOCTYPE>): such files are not read"),
        ("<UANodeSet>", ":1: this is no XML"),
        ("<Symbolconfiguration/>", "begins with <Symbolconfiguration>, not with <UANodeSet>"),
        ("<UANodeSet/>", "describes types only"),
        ("<UANodeSet>" + "<a>" * 100 + "</a>" * 100 + "</UANodeSet>", "more than can be read"),
        ("", "this is no XML"),
        ('<?xml version="1.0" encoding="utx-8"?><UANodeSet/>', "unknown encoding: utx-8. Save it as UTF-8."),
    ],
)
def test_xml_of_others_is_read_with_care(tmp_path: Path, text: str, told: str) -> None:
    shown = run("import", "nodeset", str(written(tmp_path / "x.xml", text)))
    assert (shown.code, shown.out, told in shown.err) == (INVALID, "", True), shown.err
