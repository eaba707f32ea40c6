"""Documents that people send: what is taken for what it is, and what is refused."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from rest_framework.exceptions import ValidationError

from assignments.models import Submission
from assignments.tests.factories import AssignmentFactory
from common.uploads import DOCUMENTS, DocumentField

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
HTML = b"<!DOCTYPE html><html><script>alert(document.cookie)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00" + bytes(200) + b"PE\x00\x00"
ELF = b"\x7fELF\x02\x01\x01" + bytes(100)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


def office(folder):
    return zipped({"[Content_Types].xml": "<Types/>", "_rels/.rels": "<R/>", f"{folder}/document.xml": "<x/>"})


def open_document(kind):
    return zipped({"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": "<x/>"}, zipfile.ZIP_STORED)


def picture(kind, mode="RGB", size=(8, 8), **options):
    written = io.BytesIO()
    Image.new(mode, size).save(written, kind, **options)
    return written.getvalue()


def with_flags(archive, flags):
    """The archive with general purpose flags in every header: 1 is "encrypted"."""
    changed = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(signature)
        while at >= 0:
            struct.pack_into("<H", changed, at + offset, flags)
            at = changed.find(signature, at + 4)
    return bytes(changed)


def with_size(archive, size):
    """The archive, whose list of contents promises that the first file unpacks to so many bytes."""
    changed = bytearray(archive)
    struct.pack_into("<L", changed, changed.find(b"PK\x01\x02") + 24, size)
    return bytes(changed)


def with_broken_deflate(archive):
    changed = bytearray(archive)
    start = changed.find(b"mimetype") + len("mimetype")
    changed[start : start + 10] = b"\xff" * 10
    return bytes(changed)


def with_many_entries(count):
    """A zip whose list of contents is all that it holds."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, *[0] * 4, 0x21, *[0] * 3, 2, *[0] * 6) + b"aa"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, len(entry) * count, 4, 0)
    return b"PK\x03\x04" + entry * count + end


def validated(name, content):
    return DocumentField().run_validation(SimpleUploadedFile(name, content))


def refusal(name, content):
    """The code with which the field refuses the file."""
    with pytest.raises(ValidationError) as caught:
        validated(name, content)
    return caught.value.detail[0].code


# --- What is taken ---------------------------------------------------------------------------------------------------

ACCEPTED = {
    "pdf": PDF,
    "txt": "Просто текст\n".encode(),
    "md": b"# Title\n\n* one\n",
    "csv": "имя;оценка\nАнна;5\n".encode("utf-8-sig"),
    "py": b"print('hello')\n",
    "ipynb": b'{"cells": [], "nbformat": 4}',
    "zip": zipped({"a.txt": "a", "b/c.txt": "c"}),
    "docx": office("word"),
    "xlsx": office("xl"),
    "pptx": office("ppt"),
    "odt": open_document("text"),
    "ods": open_document("spreadsheet"),
    "odp": open_document("presentation"),
    "png": picture("PNG"),
    "jpg": picture("JPEG"),
    "jpeg": picture("JPEG", "L", progressive=True),
    "webp": picture("WEBP"),
}


def test_every_kind_is_tried():
    assert set(ACCEPTED) == set(DOCUMENTS)


@pytest.mark.parametrize("kind", ACCEPTED)
def test_each_kind_is_taken(kind):
    file = validated(f"My work.{kind}", ACCEPTED[kind])

    assert file.original_name == f"My work.{kind}"
    assert file.name != file.original_name
    assert file.name.endswith(f".{kind}")
    assert file.read() == ACCEPTED[kind]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("A.PDF", PDF),
        ("photo.JPG", picture("JPEG", "CMYK")),
        ("alpha.png", picture("PNG", "RGBA")),
        ("palette.png", picture("PNG", "P")),
        ("large.png", picture("PNG", "1", size=(3000, 3000))),
        ("lossless.webp", picture("WEBP", "RGBA", lossless=True)),
        ("archive.tar.zip", zipped({"a": "b"})),
        ("empty.zip", zipped({})),
        ("deflated.odt", zipped({"mimetype": "application/vnd.oasis.opendocument.text"})),
        ("many.zip", with_many_entries(5000)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unusual_ones_are_taken(name, content):
    assert validated(name, content).original_name == name


@pytest.mark.parametrize(
    "name",
    ["wo\x00rk.txt", "wo\nrk.txt", "wo\u202erk.txt", "\ufeffwork.txt", "..\\a\\work.txt"],
    ids=ascii,
)
def test_the_field_itself_keeps_a_name_clean(name):
    assert validated(name, b"hello").original_name == "work.txt"


@pytest.mark.parametrize(("size", "taken"), [(99, True), (100, True), (101, False)])
def test_the_limit(settings, size, taken):
    settings.MAX_DOCUMENT_BYTES = 100

    if taken:
        assert validated("a.txt", b"x" * size).size == size
    else:
        assert refusal("a.txt", b"x" * size) == "too_large"


def test_the_limit_is_20_mb(settings):
    assert settings.MAX_DOCUMENT_BYTES == 20 * 1024 * 1024


# --- Over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture
def send(client_for, course):
    """Hands a file in, under the very name that is given, as no well-behaved client would."""
    client = client_for("enrolled")
    lesson = course.lessons.get(order=2)
    assignment = AssignmentFactory(lesson=lesson)
    url = f"/api/courses/{course.pk}/lessons/{lesson.pk}/assignments/{assignment.pk}/submissions/"

    def post(name, content, end=b"\r\n--limit--\r\n"):
        name = name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
        head = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n'
        body = head + b"Content-Type: text/plain\r\n\r\n" + content + end
        return client.generic("POST", url, body, content_type="multipart/form-data; boundary=limit")

    return post


@pytest.fixture
def stored(settings):
    """The files in storage, by their contents."""

    def contents():
        return {path: path.read_bytes() for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}

    return contents


HOSTILE = [
    # kinds that are not taken, whatever is inside
    ("virus.exe", EXE),
    ("page.html", HTML),
    ("page.htm", b"hello"),
    ("page.xhtml", HTML),
    ("picture.svg", SVG),
    ("run.sh", b"#!/bin/sh\nrm -rf /\n"),
    ("run.bat", b"del *.*\r\n"),
    ("code.js", b"alert(1)"),
    ("code.php", b"<?php system($_GET['c']);"),
    ("macros.docm", office("word")),
    ("old.doc", OLE),
    ("app.jar", zipped({"META-INF/MANIFEST.MF": ""})),
    ("dump.tar.gz", b"\x1f\x8b\x08\x00" + bytes(20)),
    ("moving.gif", GIF),
    (".htaccess", b"AddType text/html .txt"),
    ("README", b"no ending"),
    ("ends.", b"with a dot"),
    # double endings: the last one decides
    ("work.pdf.exe", EXE),
    ("work.txt.html", HTML),
    ("work.txt%00.html", HTML),
    ("work.txt;.html", HTML),
    ("work.txt\u202egpj.exe", EXE),
    # what the name does not say
    ("virus.pdf", EXE),
    ("virus.txt", EXE),
    ("virus.zip", EXE),
    ("binary.py", ELF),
    ("page.png", HTML),
    ("page.pdf", HTML),
    ("page.pdf", HTML + PDF),
    ("picture.png", SVG),
    ("moving.png", GIF),
    ("photo.png", picture("JPEG")),
    ("photo.jpg", picture("PNG")),
    ("photo.webp", b"RIFF\x00\x00\x00\x00WAVEfmt "),
    ("cut.png", b"\x89PNG"),
    ("letters.png", rb"\x89PNG" + HTML),
    ("film.webp", b"RIFF" + bytes(100)),
    ("work.docx", zipped({"a.txt": "a"})),
    ("work.docx", office("xl")),
    ("work.xlsx", open_document("spreadsheet")),
    ("work.docx", OLE),
    ("work.docx", b"word/ [Content_Types].xml"),
    ("work.odt", open_document("spreadsheet")),
    ("work.odt", office("word")),
    ("work.odt", zipped({"content.xml": "<x/>"})),
    ("work.odt", lambda: zipped({"mimetype": bytes(20_000_000)})),
    # broken ones
    ("broken.zip", b"PK\x03\x04" + bytes(100)),
    ("broken.zip", zipped({"a.txt": "a" * 100})[:-30]),
    ("broken.docx", office("word")[:60]),
    ("broken.odt", with_broken_deflate(zipped({"mimetype": "application/vnd.oasis.opendocument.text" * 3}))),
    ("broken.odt", with_broken_deflate(zipped({"mimetype": "x" * 99}, zipfile.ZIP_LZMA))),
    ("behind.zip", EXE + zipped({"a.txt": "a"})),
    ("locked.odt", with_flags(open_document("text"), 1)),
    ("bomb.odt", with_size(zipped({"mimetype": bytes(99)}), 0xFFFFFFFE)),
    ("endless.zip", lambda: with_many_entries(300_000)),
    # text that is none
    ("nul.txt", b"a\x00b"),
    ("late nul.txt", b"a" * 100_000 + b"\x00"),
    ("wide.txt", "текст".encode("utf-16")),
    ("wide.csv", "a;b".encode("utf-32")),
    ("old.csv", "имя;оценка".encode("cp1251")),
    ("cut.txt", "я".encode()[:1]),
    ("cut in two.txt", b"x" * (64 * 1024 - 1) + "я".encode()[:1]),
    ("surrogate.txt", b"\xed\xa0\x80"),
    # nothing, and too much
    ("empty.txt", b""),
    ("empty.pdf", b""),
    ("heavy.txt", lambda: b"a" * (21 * 1024 * 1024)),
    # names that are no names
    ("", b"hello"),
    ("..", b"hello"),
    (".", b"hello"),
    ("a/", b"hello"),
    ("\x00", b"hello"),
    ("\u202e", b"hello"),
    ("   ", b"hello"),
]


@pytest.mark.parametrize(("name", "content"), HOSTILE, ids=[ascii(name) for name, _content in HOSTILE])
def test_a_hostile_file_is_refused_and_leaves_no_trace(send, stored, name, content):
    answer = send(name, content() if callable(content) else content)

    assert answer.status_code == 400, answer.content
    assert [error["attr"] for error in answer.json()["errors"]] == ["file"]
    assert not Submission.objects.exists()
    assert stored() == {}


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.exe", EXE, "unsupported"),
        ("old.csv", "имя;оценка".encode("cp1251"), "encoding"),
        ("wide.csv", "имя;оценка".encode("utf-16"), "encoding"),
        ("cut.txt", b"\x01\xff", "mismatch"),
        ("a.pdf", EXE, "mismatch"),
        ("a.txt", b"", "empty"),
    ],
)
def test_what_the_refusals_are_called(name, content, code):
    assert refusal(name, content) == code


def test_a_refusal_names_what_is_accepted(send):
    detail = send("a.exe", EXE).json()["errors"][0]["detail"]

    assert all(kind in detail for kind in DOCUMENTS)


# Harmless as they are: nothing is ever unpacked, shown or run, and all go out as downloads.
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.txt", HTML),
        ("picture.md", SVG),
        ("virus.zip", zipped({"virus.exe": EXE})),
        ("slip.zip", zipped({"../../etc/passwd": "root"})),
        ("locked.zip", with_flags(zipped({"a.txt": "a"}), 1)),
        ("bomb.zip", with_size(zipped({"a.txt": bytes(1_000_000)}), 0xFFFFFFFE)),
        ("more behind.png", picture("PNG") + HTML),
        ("more behind.pdf", PDF + HTML),
        ("formula.csv", b"=cmd|'/C calc'!A0\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_harmless_is_stored_as_it_came(send, stored, name, content):
    answer = send(name, content)

    assert (answer.status_code, answer.json()["file_name"]) == (201, name)
    assert list(stored().values()) == [content]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("work.txt", "work.txt"),
        ("Работа №1 (готово).txt", "Работа №1 (готово).txt"),
        ("../../../etc/passwd.txt", "passwd.txt"),
        ("/etc/cron.d/work.txt", "work.txt"),
        (r"C:\Users\me\work.txt", "work.txt"),
        (r"..\..\work.txt", "work.txt"),
        ("public/../work.txt", "work.txt"),
        ("work.html.txt", "work.html.txt"),
        ("wo\x00rk.txt", "work.txt"),
        ("wo\u202erk.txt", "work.txt"),
        ("work.txt\u202e", "work.txt"),
        ("\u200bwork\ufeff.txt", "work.txt"),
        ("wo\x1b[31mrk.txt", "wo[31mrk.txt"),
        ("wo\trk.txt", "work.txt"),
        ("   work.txt   ", "work.txt"),
        (".txt", ".txt"),
        ("work.TXT", "work.TXT"),
        ("&lt;b&gt;.txt", "<b>.txt"),
        ("%2e%2e%2fwork.txt", "%2e%2e%2fwork.txt"),
        ("CON.txt", "CON.txt"),
        ("x" * 300 + ".txt", "x" * 200 + ".txt"),
        ("я" * 300 + ".txt", "я" * 200 + ".txt"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_strange_name_stays_a_name(send, stored, settings, name, shown):
    answer = send(name, b"hello")

    assert answer.status_code == 201, answer.content
    assert answer.json()["file_name"] == shown
    (path,) = stored()
    assert path.parent == Path(settings.MEDIA_ROOT) / "private" / "submissions"
    assert path.suffix == ".txt"
    assert len(path.stem) == 36


@pytest.mark.parametrize(
    "name", ["wo\nrk.txt", "wo\r\nX-Evil: 1\r\nrk.txt", 'work.txt"; filename="work.exe', "work.txt\n.exe"]
)
def test_a_name_that_breaks_the_header_breaks_nothing_else(send, stored, name):
    answer = send(name, b"hello")

    assert answer.status_code in {201, 400}
    if answer.status_code == 201:
        assert answer.json()["file_name"].endswith(".txt")
        assert answer.json()["file_name"].isprintable()
    assert len(stored()) == (answer.status_code == 201)


def test_a_name_that_is_no_utf_8_is_no_file(send, stored):
    answer = send(b"\xff\xfework.txt", b"hello")

    assert answer.status_code == 400
    assert [error["attr"] for error in answer.json()["errors"]] == ["text"]
    assert stored() == {}


def test_a_form_whose_file_was_left_empty(send, stored):
    more = b'\r\n--limit\r\nContent-Disposition: form-data; name="text"\r\n\r\nMy work\r\n--limit--\r\n'

    answer = send("", b"", end=more)

    assert (answer.status_code, answer.json()["text"], answer.json()["file"]) == (201, "My work", None)
    assert stored() == {}


def test_a_form_that_ends_too_early_is_no_5xx(send, stored):
    answer = send("a.txt", b"hel", end=b"")

    assert answer.status_code in {201, 400}
    assert len(stored()) == (answer.status_code == 201)
