"""Pictures that people send, written anew: upright, in sRGB, the first frame alone, no larger than a page shows, and
with nothing else that the file held.

libvips does it, in strips and at a smaller scale where the format allows: 25 megapixels take some 50 MB and half a
second. What a format keeps in one piece has to be smaller. One picture at a time is unpacked on a machine.
"""

import contextlib
import fcntl
import io
import os
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.utils.translation import gettext_lazy as _
from PIL import Image

from common.ids import new_id

# The widest that is asked for, on a screen of any kind; upright ones may be half as high again.
MAX_WIDTH, MAX_HEIGHT = 1280, 1920
# What a picture that can only be unpacked in one piece may take.
MAX_WHOLE_BYTES = 40_000_000

# Of a picture that is 25 megapixels large, and of any shape that a camera or a program makes.
MAX_SIDE = 20_000
# Progressive JPEGs have about ten.
MAX_SCANS = 40
START_OF_SCAN = 0xDA
ALONE = {0x01, *range(0xD0, 0xDA)}  # markers without a length

KINDS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
SAVED_AS: dict[str, dict[str, Any]] = {"JPEG": {"Q": 85}, "PNG": {"compression": 6}, "WEBP": {"Q": 85}}

TOO_MANY_PIXELS = _("The image has more than 25 megapixels.")
IN_ONE_PIECE = _(
    "An image of this size has to be saved in another way: as a JPEG that is not progressive, or a PNG that is not "
    "interlaced."
)
UNSUPPORTED = _("Send a JPEG, PNG or WebP image.")


def rewritten(file: Any) -> ContentFile:
    """The picture under a name of our own. Raises Django's ValidationError with the code `too_large`, `unsupported` or
    `too_many_pixels`; nothing is unpacked before size and header were judged."""
    if (file.size or 0) > settings.MAX_IMAGE_BYTES:
        text = _("The image is larger than %(mb)s MB.") % {"mb": settings.MAX_IMAGE_BYTES // 1024**2}
        raise ValidationError(text, "too_large")
    file.seek(0)
    data = file.read()
    kind = _kind(data)
    try:
        if kind == "PNG" and _pixels_of_png(data) > settings.MAX_IMAGE_PIXELS:
            raise ValidationError(TOO_MANY_PIXELS, "too_many_pixels")  # its readers have limits of their own
        pixels, whole_bytes = (_of_webp if kind == "WEBP" else _of_jpeg_or_png)(data, kind)
        if pixels > settings.MAX_IMAGE_PIXELS:
            raise ValidationError(TOO_MANY_PIXELS, "too_many_pixels")
        if whole_bytes > MAX_WHOLE_BYTES:
            raise ValidationError(IN_ONE_PIECE, "too_many_pixels")
        with _one_at_a_time():
            written = _written(data, kind)
    except ValidationError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValidationError(TOO_MANY_PIXELS, "too_many_pixels") from None
    except Exception:  # a broken picture breaks its reader in ways that no reader lists
        raise ValidationError(UNSUPPORTED, "unsupported") from None
    return ContentFile(written, name=f"{new_id()}.{KINDS[kind]}")


def _kind(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    raise ValidationError(UNSUPPORTED, "unsupported")


def _of_jpeg_or_png(data: bytes, kind: str) -> tuple[int, float]:
    """Pixels, and bytes that have to be unpacked in one piece, by the header."""
    picture: Any = Image.open(io.BytesIO(data), formats=[kind, "MPO"] if kind == "JPEG" else [kind])
    pixels = picture.width * picture.height
    if max(picture.size) > MAX_SIDE:
        raise ValidationError(TOO_MANY_PIXELS, "too_many_pixels")  # each row, or column, costs for itself
    if kind == "JPEG":
        scans = _scans_of_jpeg(data)
        if scans > MAX_SCANS:
            raise ValidationError(IN_ONE_PIECE, "too_many_pixels")
        if scans < 2 and not picture.info.get("progressive"):
            return pixels, 0
        factors = [(across, down) for _name, across, down, _table in picture.layer]
        largest = max(across for across, _down in factors) * max(down for _across, down in factors)
        return pixels, pixels * 2 * sum(across * down for across, down in factors) / largest
    return pixels, pixels * (8 if "16" in picture.mode else 4) if picture.info.get("interlace") else 0


def _scans_of_jpeg(data: bytes) -> int:
    """How often the whole picture is gone through, which a few bytes each ask for. Segments are passed over by their
    lengths, since a thumbnail among them is a picture of its own."""
    scans, position = 0, 2
    while 0 <= position < len(data) - 3:
        marker = data[position + 1]
        if data[position] != 0xFF or marker == 0xD9:
            break
        if marker == 0xFF:  # padding
            position += 1
            continue
        length = 0 if marker in ALONE else int.from_bytes(data[position + 2 : position + 4], "big")
        position += 2 + length
        if marker == START_OF_SCAN:
            scans += 1
            if scans > MAX_SCANS:
                break
            position = _end_of_scan(data, position)
    return scans


def _end_of_scan(data: bytes, position: int) -> int:
    """Where the next marker stands: within a scan 0xFF is followed by zero, or restarts it."""
    while (position := data.find(b"\xff", position)) >= 0 and position + 1 < len(data):
        if data[position + 1] != 0 and not 0xD0 <= data[position + 1] <= 0xD7:
            return position
        position += 2
    return -1


def _pixels_of_png(data: bytes) -> int:
    return int.from_bytes(data[16:20], "big") * int.from_bytes(data[20:24], "big")


def _of_webp(data: bytes, kind: str) -> tuple[int, float]:
    picture = _vips().Image.webpload_buffer(data)
    pixels = picture.width * picture.height
    if picture.get_typeof("n-pages") and picture.get("n-pages") > 1:
        return pixels, pixels * 8
    return pixels, pixels * 4 if b"VP8L" in _chunks(data) else 0


def _chunks(data: bytes) -> set[bytes]:
    """The names of a RIFF file's parts."""
    names, position = set(), 12
    while position + 8 <= len(data):
        names.add(data[position : position + 4])
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + length + length % 2
    return names


def _written(data: bytes, kind: str) -> bytes:
    vips = _vips()
    box = {"height": MAX_HEIGHT, "size": "down", "output_profile": "srgb", "intent": "perceptual"}
    if kind == "PNG":  # which has no smaller scale; and only its own reader tells that the end is missing
        whole = vips.Image.pngload_buffer(data, access="sequential", fail_on="truncated")
        picture = whole.thumbnail_image(MAX_WIDTH, **box)
    else:
        picture = vips.Image.thumbnail_buffer(data, MAX_WIDTH, fail_on="truncated", **box)
    if picture.format != "uchar":
        picture = picture.cast("uchar")
    return bytes(picture.write_to_buffer(f".{KINDS[kind]}", keep="none", **SAVED_AS[kind]))


def _vips() -> Any:
    """The library, which begins threads of its own: not before a server has divided into its processes."""
    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    import pyvips

    pyvips.cache_set_max(0)
    return pyvips


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """For all threads and processes of this machine."""
    with (settings.DATA_DIR / "pictures.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
