"""The printed report of a point-to-point test: read back strictly, as a PDF reader does it."""

import hashlib
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cellctl.cli.terminal import FAILED, UNREACHABLE
from cellctl.commission.found import Found, alone
from cellctl.commission.pdf import HEIGHT, WIDTH, Pdf, width, wrapped
from cellctl.commission.print_out import write_pdf
from cellctl.commission.report import Point, Report
from tests.cli.terminal import run
from tests.cli.test_io import CELL, LASER, cell  # noqa: F401 - fixtures

_TEXT = re.compile(rb"BT /F[12] ([\d.]+) Tf 1 0 0 1 ([\d.]+) ([\d.]+) Tm <([0-9a-f]*)> Tj ET")


def pages(path: Path) -> list[list[tuple[float, float, str]]]:
    """The texts of each page with their places, found as the table at the end of the file says."""
    data = path.read_bytes()
    assert data.startswith(b"%PDF-1.4\n")
    assert data.endswith(b"%%EOF\n")
    begin = int(data.rpartition(b"startxref\n")[2].split()[0])
    head, *entries = data[begin:].split(b"trailer")[0].splitlines()[1:]
    assert head == b"0 %d" % len(entries)
    objects = {}
    for number, entry in enumerate(entries[1:], 1):
        assert len(entry) == 19, "with its end of line an entry has 20 bytes"
        place = int(entry.split()[0])
        assert data[place:].startswith(b"%d 0 obj\n" % number)
        objects[number] = data[place : data.index(b"\nendobj", place)]
    kids = re.search(rb"/Kids \[(.*?)\]", objects[2])
    assert kids is not None
    return [_texts(objects, int(number)) for number in re.findall(rb"(\d+) 0 R", kids[1])]


def _texts(objects: dict[int, bytes], page: int) -> list[tuple[float, float, str]]:
    link = re.search(rb"/Contents (\d+) 0 R", objects[page])
    assert link is not None
    head, _, rest = objects[int(link[1])].partition(b"stream\n")
    length = re.search(rb"/Length (\d+)", head)
    assert length is not None
    assert rest[int(length[1]) :] == b"\nendstream"
    found = _TEXT.findall(zlib.decompress(rest[: int(length[1])]))
    return [(float(x), float(y), bytes.fromhex(text.decode()).decode("cp1252")) for _, x, y, text in found]


def words(path: Path) -> str:
    return "\n".join(text for page in pages(path) for _, _, text in page)


def test_a_report_is_printed_beside_the_record_and_again_when_it_goes_on(
    places: Mapping[str, str],
    tmp_path: Path,
) -> None:
    printed = tmp_path / "laser.pdf"
    laser = ("--profile", LASER, "--at", places["laser"], "--report", str(printed), "--by", "Siân")
    first = run("io", "test", *laser, stdin="y\n1420\ny\nn\nlamp is dark\nq\n")
    assert first.code == UNREACHABLE, first.err
    assert f"{printed} is printed from {tmp_path / 'laser.csv'}." in first.err
    text = words(printed)
    digest = hashlib.sha256(Path(LASER).read_bytes()).hexdigest()[:16]
    for told in (
        "Point-to-point test", "LX2,0042,1.4", f"lx2-laser (lx2-laser.yaml), sha256 {digest}", "Siân",
        "7 points: 2 pass, 1 fail, 4 open", "float 0..2000 W within 1", "1420 W: confirmed", "lamp is dark",
        "Tested by: name, signature", "Accepted by: name, signature", "page 1 of 1",
    ):  # fmt: skip
        assert told in text
    assert "base letter" not in text
    second = run("io", "test", *laser, stdin="y\ny\ny\ny\ny\n")
    assert second.code == 0, second.err
    assert "7 points: 7 pass, 0 fail" in words(printed)
    assert [path.name for path in tmp_path.iterdir()].count("laser.csv") == 1


def test_a_device_of_a_cell_is_named_with_its_cell(cell: Path, tmp_path: Path) -> None:  # noqa: F811
    printed = tmp_path / "laser.pdf"
    shown = run("io", "test", "laser", "--cell", str(cell), "--report", str(printed), stdin="y\nq\n")
    assert shown.code == 0, shown.err
    text = words(printed)
    assert "bm1" in text.splitlines()[text.splitlines().index("Cell") + 1]
    assert "lx2-laser.yaml" in text


def test_every_file_of_a_profile_has_its_hash(tmp_path: Path) -> None:
    heir = tmp_path / "heir.yaml"
    heir.write_text("cellctl: 1\nprofile: {id: heir, extends: eastron.sdm630, version: 1, protocol: modbus}\n")
    found = alone(str(heir), "modbus://127.0.0.1:502")
    write_pdf(tmp_path / "r.pdf", Report(tmp_path / "r.csv", found.hashes()), found)
    assert re.search(r"heir \(heir\.yaml\), sha256 [0-9a-f]{16}\n", words(tmp_path / "r.pdf"))
    assert re.search(r"eastron\.sdm630 \(sdm630\.yaml\), sha256 [0-9a-f]{16}\n", words(tmp_path / "r.pdf"))


METER = """cellctl: 1
profile: {id: meter, version: 1, protocol: modbus, at: "modbus://127.0.0.1:502"}
signals:
  t: {type: float, unit: degC, read: "holding 0 int16", scale: 0.1}
  u: {type: float, unit: V, read: "holding 1 int16"}
"""


def passed_and_changed(folder: Path) -> tuple[Found, Path]:
    """A device whose profile was changed after its two points had passed, and the record."""
    profile, record = folder / "meter.yaml", folder / "r.csv"
    profile.write_text(METER)
    report = Report(record, alone(str(profile)).hashes())
    report.identity = "ACME, 7"
    for name in "tu":
        report.add(Point("device", name, "read"), shown="21.5 degC", result="pass", remark="", by="Mari")
    profile.write_text(METER.replace("0.1", "10").replace("  u:", "  v:"))
    return alone(str(profile)), record


def test_a_pass_of_another_profile_is_none(tmp_path: Path) -> None:
    found, record = passed_and_changed(tmp_path)
    report = Report(record, found.hashes())
    assert report.open(Point("device", "t", "read"))
    write_pdf(tmp_path / "r.pdf", report, found)
    text = words(tmp_path / "r.pdf").replace("\n", " ")
    assert "3 points: 0 pass, 0 fail, 2 open, 1 gone" in text
    assert "passed with another profile" in text
    assert found.hashes()[0] in text
    before = hashlib.sha256(METER.encode()).hexdigest()[:16]
    assert f"({before})" in text
    (tmp_path / "meter.yaml").write_text(METER)
    assert not Report(record, alone(str(tmp_path / "meter.yaml")).hashes()).open(Point("device", "t", "read"))


def test_the_print_says_which_device_was_tested(tmp_path: Path) -> None:
    found, record = passed_and_changed(tmp_path)
    report = Report(record, found.hashes())
    for identity, says in ((None, "not connected this time"), ("", "nothing of itself"), ("ACME, 8", "ACME, 8")):
        report.identity = identity
        write_pdf(tmp_path / "r.pdf", report, found)
        lines = words(tmp_path / "r.pdf").splitlines()
        assert lines[lines.index("It says") + 1] == says
        assert lines[lines.index("It said") + 1] == "ACME, 7"
        assert ("found on ACME, 7" in " ".join(lines)) == (identity == "ACME, 8")


def test_a_device_that_is_not_there_is_not_said_to_say_nothing(tmp_path: Path) -> None:
    found, record = passed_and_changed(tmp_path)
    meter = ("--profile", str(found.files["meter"]), "--at", "modbus://127.0.0.1:1", "--report")
    shown = run("io", "test", *meter, str(record.with_suffix(".pdf")))
    assert shown.code == UNREACHABLE, shown.err
    assert "not connected this time" in words(record.with_suffix(".pdf"))


def test_a_report_without_profiles_is_read_and_goes_on(tmp_path: Path) -> None:
    found = alone("eastron.sdm630")
    first, second = list(found.signals)[:2]
    record = tmp_path / "r.csv"
    old = f"2026-01-01T00:00:00+00:00,device,{first},read,230 V,pass,,Mari"
    record.write_text(f"time,device,point,kind,shown,result,remark,by\n{old}\n")
    report = Report(record, found.hashes())
    assert report.open(Point("device", first, "read")), "nobody knows which profile that was"
    assert record.read_text().splitlines()[1] == old, "reading changes nothing"
    report.add(Point("device", second, "read"), shown="1 V", result="pass", remark="", by="Mari")
    head, before, after = record.read_text().splitlines()
    assert head.endswith(",by,profile,identity")
    assert before == f"{old},,"
    assert after.endswith(f",{' '.join(found.hashes())},")
    assert not Report(record, found.hashes()).open(Point("device", second, "read"))
    write_pdf(tmp_path / "r.pdf", report, found)
    assert "not known which" in words(tmp_path / "r.pdf").replace("\n", " ")


def test_many_points_are_many_pages_and_nothing_is_written_beside_them(tmp_path: Path) -> None:
    found = alone("eastron.sdm630")
    report = Report(tmp_path / "r.csv", found.hashes())
    for name in found.signals:
        for _ in range(3):
            remark = "a remark of some length, " * 6 + "and a_word_that_is_far_too_long_for_any_column_of_the_table"
            report.add(Point("device", name, "read"), shown="1 V", result="pass", remark=remark, by="Mari")
    write_pdf(tmp_path / "r.pdf", report, found)
    printed = pages(tmp_path / "r.pdf")
    assert len(printed) >= 3
    for number, page in enumerate(printed, 1):
        assert any(f"page {number} of {len(printed)}" in text for _, _, text in page)
        for x, y, text in page:
            assert 0 < y < HEIGHT
            assert x + width(text, 6) < WIDTH
        remarks = [text for x, _, text in page if x > 560 and "remark" in text]
        assert all(width(text, 8.5) < 134 for text in remarks)
    named = [text for page in printed for _, _, text in page if text in found.signals]
    assert named == list(found.signals), "each once, its last result"


def test_a_remark_without_an_end_stays_on_its_page(tmp_path: Path) -> None:
    found = alone("eastron.sdm630")
    report = Report(tmp_path / "r.csv", found.hashes())
    point = Point("device", next(iter(found.signals)), "read")
    report.add(point, shown="", result="fail", remark="and so on " * 500, by="Mari")
    write_pdf(tmp_path / "r.pdf", report, found)
    assert all(y > 0 for page in pages(tmp_path / "r.pdf") for _, y, _ in page)
    assert "(more in the CSV)" in words(tmp_path / "r.pdf")


def test_signs_that_the_print_does_not_have_are_replaced_and_that_is_said(tmp_path: Path) -> None:
    found = alone("eastron.sdm630")
    report = Report(tmp_path / "r.csv", found.hashes())
    name = next(iter(found.signals))
    remark = "tŷ Llanŵr – «naïve» € 日本 e\u0301\a"
    report.add(Point("device", name, "read"), shown="", result="fail", remark=remark, by="Ŵyn")
    write_pdf(tmp_path / "r.pdf", report, found)
    text = words(tmp_path / "r.pdf").replace("\n", " ")
    assert "ty Llanwr – «naïve» € ?? e" in text
    assert "Wyn" in text
    assert "stand as their base letter, or as '?'" in text
    assert remark.strip("\a") in (tmp_path / "r.csv").read_text()


def test_a_report_that_cannot_be_printed_is_told_and_the_record_stays(
    places: Mapping[str, str],
    tmp_path: Path,
) -> None:
    (tmp_path / "laser.pdf").mkdir()
    laser = ("--profile", LASER, "--at", places["laser"], "--report", str(tmp_path / "laser.pdf"))
    shown = run("io", "test", *laser, stdin="y\nq\n")
    assert (shown.code, "laser.pdf cannot be written" in shown.err) == (FAILED, True), shown.err
    assert "power,read" in (tmp_path / "laser.csv").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["laser.csv", "laser.pdf"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [("", [""]), ("a b", ["a b"]), ("wwww wwww", ["wwww", "wwww"]), ("wwwwwwww", ["wwww", "wwww"])],
)
def test_texts_are_divided_between_words_where_that_is_possible(text: str, lines: list[str]) -> None:
    assert wrapped(text, 10, width("wwww", 10) + 0.1) == lines


@pytest.mark.parametrize(
    ("text", "written", "at_least"),
    [("㎜", "mm", 1.666), ("½", "½", 0.834), ("…", "…", 1.0), ("™", "™", 1.0), ("ﬃ", "ffi", 0.778), ("î", "î", 0.278),
     ("é", "é", 0.556), ("\a", "", 0.0), ("日", "?", 0.556), ("\u2003", " ", 0.278)],
)  # fmt: skip
def test_a_text_is_measured_as_it_is_written(tmp_path: Path, text: str, written: str, at_least: float) -> None:
    found = alone("eastron.sdm630")
    report = Report(tmp_path / "r.csv", found.hashes())
    report.add(Point("device", next(iter(found.signals)), "read"), shown=f"<{text}>", result="fail", remark="", by="M")
    write_pdf(tmp_path / "r.pdf", report, found)
    assert f"<{written}>" in words(tmp_path / "r.pdf")
    assert at_least <= width(text, 1) <= at_least + 0.2
    assert all(width(line, 10) <= 100 for line in wrapped(text * 20, 10, 100))


def test_a_document_says_what_it_is_and_when(tmp_path: Path) -> None:
    pdf = Pdf("Prüfung (laser) \\ ŵ", datetime(2026, 11, 26, 8, 30, tzinfo=UTC))
    pdf.page()
    data = pdf.content()
    title = "Prüfung (laser) \\ ŵ".encode("utf-16-be").hex().encode()
    assert b"/Title <feff" + title + b">" in data
    assert b"(D:20261126083000Z)" in data
