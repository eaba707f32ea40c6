import io
import struct
import zlib

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageCms, ImageFile

from users.tests.factories import PASSWORD

ME = "/api/users/me/"
SCRIPT = b"<script>alert(1)</script>"

pytestmark = pytest.mark.django_db


def picture(kind="PNG", mode="RGB", size=(40, 20), **options):
    written = io.BytesIO()
    Image.new(mode, size, 1).save(written, kind, **options)
    return written.getvalue()


def png_header(width, height):
    """A PNG that says how large it is, and holds no more than that."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 100))]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def send(client, data, name="me.png", content_type="image/png"):
    return client.patch(ME, {"avatar": SimpleUploadedFile(name, data, content_type)}, format="multipart")


def stored(user):
    user.refresh_from_db()
    with user.avatar.open() as file:
        return file.read()


@pytest.mark.parametrize(("kind", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_formats(client_for, student, kind, extension):
    response = send(client_for("student"), picture(kind))

    assert response.status_code == 200, response.json()
    assert response.json()["avatar"].startswith("http://testserver/media/public/avatars/")
    assert response.json()["avatar"].endswith(f".{extension}")
    assert Image.open(io.BytesIO(stored(student))).format == kind


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "I;16"), ("WEBP", "RGBA")],
)
def test_modes(client_for, student, kind, mode):
    response = send(client_for("student"), picture(kind, mode))

    assert response.status_code == 200
    assert Image.open(io.BytesIO(stored(student))).size == (40, 20)


def test_two_pictures_in_one_jpeg(client_for, student):
    """Phones send those; Pillow gives the format another name."""
    response = send(client_for("student"), picture("MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))]))

    assert response.status_code == 200
    assert Image.open(io.BytesIO(stored(student))).format == "JPEG"


def test_transparency_stays(client_for, student):
    written = io.BytesIO()
    drawn = Image.new("P", (40, 20), 0)
    drawn.putpalette([255, 0, 0, 0, 255, 0])
    drawn.save(written, "PNG", transparency=0)

    send(client_for("student"), written.getvalue())

    assert Image.open(io.BytesIO(stored(student))).convert("RGBA").getpixel((0, 0))[3] == 0


def exif():
    written = Image.Exif()
    written[0x010E] = SCRIPT.decode()  # the description
    written[0x0112] = 6  # lying on its side
    return written


METADATA = {
    "script behind a PNG": lambda: picture() + SCRIPT,
    "script behind a JPEG": lambda: picture("JPEG") + SCRIPT,
    "script behind a WebP": lambda: picture("WEBP") + SCRIPT,
    "EXIF in a PNG": lambda: picture(exif=exif()),
    "EXIF in a JPEG": lambda: picture("JPEG", exif=exif()),
    "EXIF in a WebP": lambda: picture("WEBP", exif=exif()),
    "XMP in a JPEG": lambda: picture("JPEG", xmp=SCRIPT),
    "XMP in a WebP": lambda: picture("WEBP", xmp=SCRIPT),
    "comment in a JPEG": lambda: picture("JPEG", comment=SCRIPT),
    "profile in a JPEG": lambda: picture("JPEG", icc_profile=SCRIPT),
    "profile in a WebP": lambda: picture("WEBP", icc_profile=SCRIPT),
}


@pytest.mark.parametrize("make", METADATA.values(), ids=METADATA.keys())
def test_all_but_the_picture_is_dropped(client_for, student, make):
    sent = make()
    response = send(client_for("student"), sent)

    assert response.status_code == 200
    assert SCRIPT in sent
    assert SCRIPT not in stored(student)
    assert not Image.open(io.BytesIO(stored(student))).getexif()


def test_profile_of_a_png_is_dropped(client_for, student):
    send(client_for("student"), picture(icc_profile=SCRIPT))

    assert "icc_profile" not in Image.open(io.BytesIO(stored(student))).info


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_are_set_upright(client_for, student, kind):
    send(client_for("student"), picture(kind, exif=exif()))

    assert Image.open(io.BytesIO(stored(student))).size == (20, 40)


HOSTILE = {
    "gif": lambda: picture("GIF"),
    "bmp": lambda: picture("BMP"),
    "tiff": lambda: picture("TIFF"),
    "ico": lambda: picture("ICO"),
    "pdf": lambda: picture("PDF"),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": lambda: b"<!doctype html>" + SCRIPT,
    "exe": lambda: b"MZ\x90\x00" + b"\0" * 200,
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "php behind a PNG's first bytes": lambda: b"\x89PNG\r\n\x1a\n<?php system($_GET[0]);",
    "half a PNG": lambda: picture(size=(400, 400))[:-100],
    "half a JPEG": lambda: picture("JPEG", size=(400, 400))[:400],
    "empty": lambda: b"",
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("name", ["me.png", "me.jpg"])
def test_other_files_in_disguise(client_for, student, make, name):
    response = send(client_for("student"), make(), name)

    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "avatar"
    student.refresh_from_db()
    assert not student.avatar


@pytest.mark.parametrize("size", [(5001, 5000), (12000, 12000), (60000, 60000), (2**31 - 1, 2**31 - 1)])
def test_more_than_25_megapixels(client_for, student, size, monkeypatch):
    """Refused by what the header says: nothing of that size is ever unpacked."""
    unpacked = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: unpacked.append(self))

    response = send(client_for("student"), png_header(*size))

    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "too_many_pixels"
    assert not unpacked
    student.refresh_from_db()
    assert not student.avatar


def test_25_megapixels(client_for):
    response = send(client_for("student"), picture("JPEG", "L", (5000, 5000)))

    assert response.status_code == 200


def test_more_than_5_mb(client_for, student):
    response = send(client_for("student"), picture() + b"\0" * (5 * 1024 * 1024))

    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "too_large"
    student.refresh_from_db()
    assert not student.avatar


@pytest.mark.parametrize(
    "name",
    ["../../evil.png", "/etc/passwd", "evil.php", "evil.png.html", "a" * 300 + ".png", "кот.png", "x"],
)
def test_the_name_is_our_own(client_for, student, name):
    response = send(client_for("student"), picture(), name)

    assert response.status_code == 200
    student.refresh_from_db()
    assert student.avatar.name.startswith("public/avatars/")
    assert len(student.avatar.name) == len("public/avatars/") + 36 + len(".png")


@pytest.mark.parametrize("name", ["..", ".", "../..", "/", "a/.."])
def test_a_file_with_the_name_of_a_folder_is_not_lost(client_for, student, name):
    """Django itself drops it, and the answer would be a 200 for nothing."""
    head = f'--x\r\nContent-Disposition: form-data; name="avatar"; filename="{name}"\r\n\r\n'.encode()

    response = client_for("student").generic(
        "PATCH", ME, head + picture() + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
    )

    assert response.status_code == 200
    assert Image.open(io.BytesIO(stored(student))).format == "PNG"


def test_a_new_avatar_replaces_the_file(client_for, student, django_capture_on_commit_callbacks):
    client = client_for("student")
    send(client, picture())
    student.refresh_from_db()
    first = student.avatar.name

    with django_capture_on_commit_callbacks(execute=True):
        send(client, picture("JPEG"))

    student.refresh_from_db()
    assert default_storage.listdir("public/avatars")[1] == [student.avatar.name.rpartition("/")[2]]
    assert student.avatar.name != first


def test_drop_the_avatar(client_for, student, django_capture_on_commit_callbacks):
    client = client_for("student")
    send(client, picture())

    with django_capture_on_commit_callbacks(execute=True):
        response = client.patch(ME, {"avatar": None})

    assert response.json()["avatar"] is None
    assert default_storage.listdir("public/avatars")[1] == []


def test_a_refusal_keeps_the_avatar(client_for, student):
    client = client_for("student")
    send(client, picture())

    client.patch(ME, {"avatar": None, "phone": "abc"})

    assert Image.open(io.BytesIO(stored(student))).format == "PNG"


def test_leaving_deletes_the_file(client_for, django_capture_on_commit_callbacks):
    client = client_for("student")
    send(client, picture())

    with django_capture_on_commit_callbacks(execute=True):
        client.delete(ME, {"password": PASSWORD})

    assert default_storage.listdir("public/avatars")[1] == []


def test_others_see_the_avatar(client_for, student):
    send(client_for("student"), picture())

    response = client_for("other").get(f"/api/users/{student.pk}/")

    assert response.json()["avatar"].startswith("http://testserver/media/public/avatars/")


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_broken_note_on_orientation_is_passed_over(client_for, student, kind):
    response = send(client_for("student"), picture(kind, exif=b"Exif\0\0garbagegarbage"))

    assert response.status_code == 200, response.json()


# --- The look of a picture stays -------------------------------------------------------------------------------------


def colours(user, *places):
    picture = Image.open(io.BytesIO(stored(user)))
    return [picture.getpixel(place) for place in places], picture


def near(one, other):
    return all(abs(a - b) <= 12 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("kind", "mode", "colour", "shown"),
    [
        ("PNG", "I;16", 40_000, (155, 155, 155)),
        ("JPEG", "CMYK", (0, 255, 255, 0), (232, 30, 42)),
        ("PNG", "RGBA", (10, 200, 30, 128), (10, 200, 30, 128)),
        ("WEBP", "RGB", (10, 200, 30), (10, 200, 30)),
        ("JPEG", "L", 100, (100, 100, 100)),
    ],
)
def test_every_mode_is_shown_as_it_was(client_for, student, kind, mode, colour, shown):
    written = io.BytesIO()
    Image.new(mode, (40, 20), colour).save(written, kind)

    assert send(client_for("student"), written.getvalue()).status_code == 200

    (found,), _picture = colours(student, (5, 5))
    found = (found,) * 3 if isinstance(found, int) else found
    assert near(found, shown), found


def test_a_profile_of_colours_is_converted(client_for, student):
    """A profile in which red and green have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    written = io.BytesIO()
    Image.new("RGB", (40, 20), (220, 20, 20)).save(written, "PNG", icc_profile=bytes(profile))

    send(client_for("student"), written.getvalue())

    (found,), picture = colours(student, (5, 5))
    assert found[1] > found[0]
    assert "icc_profile" not in picture.info


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_of_an_animation_the_first_frame_stays(client_for, student, kind):
    written = io.BytesIO()
    frames = [Image.new("RGB", (40, 20), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    frames[0].save(written, kind, save_all=True, append_images=frames[1:], duration=100)

    send(client_for("student"), written.getvalue())

    (found,), picture = colours(student, (5, 5))
    assert near(found[:3], (250, 0, 0))
    assert getattr(picture, "n_frames", 1) == 1


def test_large_pictures_are_scaled(client_for, student):
    send(client_for("student"), picture("JPEG", size=(4000, 2000)))

    assert Image.open(io.BytesIO(stored(student))).size == (1280, 640)


@pytest.mark.parametrize(
    "make",
    [
        lambda: picture("JPEG", size=(4500, 4500), progressive=True, subsampling=0),
        lambda: picture("WEBP", size=(4500, 4500), lossless=True, method=0),
    ],
)
def test_what_can_only_be_unpacked_in_one_piece_is_smaller(client_for, make, monkeypatch):
    unpacked = []
    monkeypatch.setattr("common.pictures._written", lambda data, kind: unpacked.append(kind))

    response = send(client_for("student"), make())

    assert response.json()["errors"][0]["code"] == "too_many_pixels"
    assert unpacked == []


def test_a_picture_that_asks_to_be_gone_through_over_and_over_is_refused(client_for, student):
    """Each empty scan of some fifty bytes costs as much as the whole picture."""
    data = picture("JPEG", size=(400, 400), progressive=True)
    last = data.rindex(b"\xff\xda")
    scan, end = data[last:-2], data[-2:]

    assert send(client_for("student"), data).status_code == 200
    answer = send(client_for("student"), data[:last] + scan * 50 + end)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "too_many_pixels")


@pytest.mark.parametrize("size", [(20_001, 1), (1, 20_001)])
def test_a_picture_that_is_a_line_is_refused(client_for, student, size):
    answer = send(client_for("student"), picture("PNG", size=size))

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "too_many_pixels")
