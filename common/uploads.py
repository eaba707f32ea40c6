"""Files that people send. An image is stored as what Pillow read from it, never as the bytes that came."""

import contextlib
import io
import warnings
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from common.ids import new_id

FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


class ImageField(serializers.ImageField):
    """JPEG, PNG or WebP of at most 5 MB and 25 megapixels, written anew under a name of our own.

    Writing it anew drops whatever else the file held: scripts behind the picture, metadata, a misleading name.
    """

    default_error_messages = {
        "too_large": _("The image is larger than %(mb)s MB."),
        "too_many_pixels": _("The image has more than 25 megapixels."),
        "unsupported": _("Send a JPEG, PNG or WebP image."),
    }

    def to_internal_value(self, data: Any) -> ContentFile:
        if not isinstance(data, UploadedFile):
            self.fail("invalid")
        if (data.size or 0) > settings.MAX_IMAGE_BYTES:
            message = self.error_messages["too_large"] % {"mb": settings.MAX_IMAGE_BYTES // 1024**2}
            raise ValidationError(message, code="too_large")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                picture: Image.Image = Image.open(data, formats=list(FORMATS))
                if picture.width * picture.height > settings.MAX_IMAGE_PIXELS:
                    self.fail("too_many_pixels")
                picture.load()
        except ValidationError:
            raise
        except Image.DecompressionBombError:
            self.fail("too_many_pixels")
        except Image.DecompressionBombWarning:
            self.fail("too_many_pixels")
        except Exception:
            self.fail("unsupported")
        # A phone's JPEG with a second picture behind the first calls itself MPO.
        kind = picture.format if picture.format in {"PNG", "WEBP"} else "JPEG"
        with contextlib.suppress(Exception):  # a broken note on which side is up: then it stays as it lies
            picture = ImageOps.exif_transpose(picture)
        # Pillow would write comments and colour profiles again.
        picture.info = {name: value for name, value in picture.info.items() if name == "transparency"}
        written = io.BytesIO()
        try:
            if kind == "JPEG" and picture.mode not in {"RGB", "L"}:
                picture = picture.convert("RGB")
            picture.save(written, kind)
        except Exception:
            self.fail("unsupported")
        return ContentFile(written.getvalue(), name=f"{new_id()}.{FORMATS[kind]}")
