"""Files that people send. An image is stored as what was read from it, never as the bytes that came; a document only if
it is what its name says."""

import codecs
import re
import zipfile
from typing import Any, cast

import puremagic
from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, Http404
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError

from common import serializers
from common.ids import new_id
from common.pictures import rewritten


class ImageField(serializers.ImageField):
    """JPEG, PNG or WebP of at most 5 MB and 25 megapixels, written anew under a name of our own."""

    def to_internal_value(self, data: Any) -> ContentFile:
        if not isinstance(data, UploadedFile):
            self.fail("invalid")
        try:
            return rewritten(data)
        except DjangoValidationError as error:
            raise ValidationError(error.messages, code=error.code) from None


# --- Documents -------------------------------------------------------------------------------------------------------

# What each kind of document may be made of, as puremagic names it. Text has no signature: it has to
# be readable.
_ZIPPED = {"docx", "xlsx", "pptx", "odt", "ods", "odp"}
_TEXT = {"txt", "md", "csv", "py", "ipynb"}
# Where puremagic is generous: any RIFF file may be a WebP to it, and the letters "\x89PNG" are a PNG.
_EXACT = {"png": rb"\x89PNG\r\n\x1a\n", "webp": b"RIFF....WEBP"}
DOCUMENTS = ("pdf", "zip", "png", "jpg", "jpeg", "webp", *sorted(_ZIPPED), *sorted(_TEXT))


class DocumentField(serializers.FileField):
    """A document or picture of at most 20 MB, of the kinds in `DOCUMENTS`, whose content is what its name says.

    Stored under a name of our own; `original_name` of the validated file is what the person called it.
    """

    default_error_messages = {
        "too_large": _("The file is larger than %(mb)s MB."),
        "unsupported": _("Files of this kind are not accepted. Accepted are: %(kinds)s."),
        "mismatch": _("The file is not what its name says."),
        "encoding": _("The text is in another encoding than UTF-8. Save it as UTF-8 and send it again."),
    }

    def to_internal_value(self, data: Any) -> Any:
        file: Any = super().to_internal_value(data)
        if file.size > settings.MAX_DOCUMENT_BYTES:
            message = self.error_messages["too_large"] % {"mb": settings.MAX_DOCUMENT_BYTES // 1024**2}
            raise ValidationError(message, code="too_large")
        name = _clean_name(file.name)
        kind = name.rpartition(".")[2].lower() if "." in name else ""
        if kind not in DOCUMENTS:
            message = self.error_messages["unsupported"] % {"kinds": ", ".join(DOCUMENTS)}
            raise ValidationError(message, code="unsupported")
        if not _is_kind(file, kind):
            self.fail("encoding" if kind in _TEXT and _is_text_of_another_alphabet(file) else "mismatch")
        file.original_name = name
        file.name = f"{new_id()}.{kind}"
        return file


def _clean_name(name: str) -> str:
    """The last part of the name, without what would bend a header or a screen."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(letter for letter in last if letter.isprintable()).strip()
    stem, dot, kind = kept.rpartition(".")
    return f"{stem[:200]}{dot}{kind}"


def _is_kind(file: UploadedFile, kind: str) -> bool:
    """Whether the content is what the file's ending promises. Leaves the file at its beginning."""
    try:
        if kind in _TEXT:
            return _is_text(file)
        if kind in _ZIPPED or kind == "zip":
            return _is_archive(file, kind)
        head = file.read(64 * 1024)
        if kind == "pdf":  # some programs write a byte order mark or empty lines before it
            head = head.removeprefix(codecs.BOM_UTF8).lstrip()
        if not re.match(_EXACT.get(kind, b""), head, re.DOTALL):
            return False
        found = {match.extension.lstrip(".").lower() for match in puremagic.magic_string(head)}
        return bool(found & ({"jpg", "jpeg", "jfif"} if kind in {"jpg", "jpeg"} else {kind}))
    except Exception:  # a broken file breaks its reader in ways that no reader lists
        return False
    finally:
        file.seek(0)


# What stands in texts beside letters: tabs, ends of lines and pages, and the end of a file as DOS wrote it.
_NOT_IN_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x19\x1b-\x1f\x7f]")


def _is_text(file: UploadedFile) -> bool:
    return _is_text_in(file, "utf-8")


def _is_text_of_another_alphabet(file: UploadedFile) -> bool:
    """UTF-16 that says so, or the Windows alphabets of older spreadsheets."""
    file.seek(0)
    wide = file.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    return any(_is_text_in(file, encoding) for encoding in (("utf-16",) if wide else ("cp1251", "cp1252")))


def _is_text_in(file: UploadedFile, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    # Whatever UTF-8 holds is text; of eight bits, what no text holds tells a program from one.
    strange = re.compile("\0") if encoding == "utf-8" else _NOT_IN_TEXT
    file.seek(0)
    try:
        if any(strange.search(decoder.decode(chunk)) for chunk in file.chunks()):
            return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


class _InSmallParts:
    """A file for zipfile, which reads an archive's list of contents at once and makes an object of every line: for one
    of 20 MB that takes seconds and a hundred megabytes."""

    LARGEST = 2 * 1024**2  # some 20,000 entries

    def __init__(self, file: UploadedFile) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read

    def read(self, size: int = -1) -> bytes:
        part = self._read(self.LARGEST + 1 if size < 0 else min(size, self.LARGEST + 1))
        if len(part) > self.LARGEST:
            raise zipfile.BadZipFile("The list of contents is too long.")
        return part


def _is_archive(file: UploadedFile, kind: str) -> bool:
    """A zip that begins like one, and holds what the format is known by. Nothing is unpacked but a line of it."""
    if file.read(4) not in {b"PK\x03\x04", b"PK\x05\x06"}:
        return False
    with zipfile.ZipFile(cast(Any, _InSmallParts(file))) as archive:
        names = set(archive.namelist())
        if kind == "zip":
            return True
        if kind in {"docx", "xlsx", "pptx"}:
            folder = {"docx": "word/", "xlsx": "xl/", "pptx": "ppt/"}[kind]
            return "[Content_Types].xml" in names and any(name.startswith(folder) for name in names)
        mimetypes = {"odt": b"text", "ods": b"spreadsheet", "odp": b"presentation"}
        with archive.open("mimetype") as declared:
            return declared.read(80).strip() == b"application/vnd.oasis.opendocument." + mimetypes[kind]


def download(file: Any, name: str) -> FileResponse:
    """A stored document as a download under the name, whatever it holds: no browser opens it by itself. 404 without."""
    try:
        stored = file.open()
    except (ValueError, FileNotFoundError):
        raise Http404 from None
    return FileResponse(stored, as_attachment=True, filename=name, content_type="application/octet-stream")
