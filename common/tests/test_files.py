"""Files leave the storage with the rows that held them, whatever the model and whoever writes."""

import io
import os
import time

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from assignments.tests.factories import AssignmentFactory, SubmissionFactory, SubmissionVersionFactory
from common import files
from common.tasks import sweep_files
from community.tests.factories import MessageFactory, PostFactory, conversation_of
from materials.models import Attachment
from materials.tests.factories import CourseFactory, LessonFactory
from users.models import User
from users.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

FIELDS = files.file_fields()


def message(**file):
    conversation = conversation_of()
    return MessageFactory(conversation=conversation, sender=UserFactory(), **file)


MAKE = {
    "users.user": UserFactory,
    "materials.course": CourseFactory,
    "materials.lesson": LessonFactory,
    "materials.attachment": lambda **file: Attachment.objects.create(lesson=LessonFactory(), title="x", **file),
    "assignments.submissionversion": SubmissionVersionFactory,
    "assignments.submission": lambda **file: SubmissionFactory(assignment=AssignmentFactory(), **file),
    "community.post": PostFactory,
    "community.message": message,
}
each_field = pytest.mark.parametrize("field", FIELDS, ids=str)


def make(field):
    return MAKE[field.model._meta.label_lower](**{field.name: ContentFile(b"x", name="first.png")})


def names(field):
    return sorted(default_storage.listdir(str(field.upload_to))[1])


def test_every_model_takes_its_file_fields_from_one_place():
    ours = ("users", "materials", "payments", "assignments", "community")

    assert len(FIELDS) >= 7
    of_ours = [field for field in FIELDS if field.model._meta.app_label in ours]
    assert [field for field in of_ours if type(field).__module__ != "common.files"] == []


@each_field
def test_a_replaced_file_goes_when_the_transaction_has_committed(field, django_capture_on_commit_callbacks):
    row = make(field)
    first = names(field)

    with django_capture_on_commit_callbacks(execute=True):
        setattr(row, field.name, ContentFile(b"y", name="second.png"))
        row.save(update_fields=[field.name])
        assert set(first) < set(names(field))

    assert len(names(field)) == 1
    assert names(field) != first


@each_field
def test_the_file_of_a_deleted_row_goes(field, django_capture_on_commit_callbacks):
    row = make(field)

    with django_capture_on_commit_callbacks(execute=True):
        row.delete()
        assert len(names(field)) == 1

    assert names(field) == []


def test_files_go_with_what_held_their_rows(client_for, course, django_capture_on_commit_callbacks):
    lesson = course.lessons.first()
    lesson.preview = ContentFile(b"x", name="x.png")
    lesson.save()
    Attachment.objects.create(lesson=lesson, title="x", file=ContentFile(b"x", name="x.txt"))

    with django_capture_on_commit_callbacks(execute=True):
        assert client_for("teacher").delete(f"/api/courses/{course.pk}/").status_code == 204

    assert default_storage.listdir("public/lessons")[1] == default_storage.listdir("private/attachments")[1] == []


def test_what_another_row_holds_stays(django_capture_on_commit_callbacks):
    one = CourseFactory(preview=ContentFile(b"x", name="x.png"))
    CourseFactory(preview=one.preview.name)

    with django_capture_on_commit_callbacks(execute=True):
        one.delete()

    assert default_storage.exists(one.preview.name)


@each_field
def test_the_sweeper_finds_what_nobody_holds(field):
    row = make(field)
    kept = names(field)
    field.model._base_manager.filter(pk=row.pk).update(**{field.name: "elsewhere.png"})
    old = time.time() - 2 * files.GRACE.total_seconds()
    os.utime(default_storage.path(f"{field.upload_to}/{kept[0]}"), (old, old))
    default_storage.save(f"{field.upload_to}/young.png", ContentFile(b"x"))

    assert sweep_files() == 1
    assert names(field) == ["young.png"]


def test_the_sweeper_leaves_what_somebody_holds():
    row = CourseFactory(preview=ContentFile(b"x", name="x.png"))
    os.utime(row.preview.path, (0, 0))

    assert sweep_files() == 0
    assert default_storage.exists(row.preview.name)


def test_a_picture_of_an_admin_is_written_anew_too():
    written = io.BytesIO()
    Image.new("RGB", (3000, 20)).save(written, "PNG")
    field = User._meta.get_field("avatar").formfield()

    cleaned = field.clean(SimpleUploadedFile("me.png", written.getvalue() + b"<script>"))

    assert b"<script>" not in cleaned.read()
    assert not cleaned.name.startswith("me")
