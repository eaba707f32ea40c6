"""Certificates: given, taken back, printed and verified."""

import re
from decimal import Decimal
from types import SimpleNamespace

import pytest
import time_machine
from django.utils import timezone, translation

from assignments import certificates
from assignments.models import Certificate
from assignments.tests.factories import AssignmentFactory, AttemptFactory, CertificateFactory, SubmissionFactory
from common.testing.pdfs import lines_of
from materials.models import Course, Enrollment
from materials.tests.factories import EnrollmentFactory
from users.models import Notification, User
from users.services import anonymise_user
from users.tests.factories import PASSWORD

URL = "/api/users/certificates/"
UNKNOWN = "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def certificate(course, enrolled):
    """The enrolled student's, in Russian."""
    return CertificateFactory(student=enrolled, course=course)


def one(certificate):
    return f"{URL}{certificate.pk}/"


def issue(client, student, course):
    return client.post(URL, {"student": str(student.pk), "course": str(course.pk)})


def revoke(client, certificate, **body):
    return client.put(one(certificate), body)


def verify(client, code, accept="application/json", **headers):
    return client.get(f"/api/certificates/verify/{code}/", HTTP_ACCEPT=accept, **headers)


def now_revoked(certificate):
    Certificate.objects.filter(pk=certificate.pk).update(
        status="revoked", revoked_at=timezone.now(), revocation_reason="A mistake"
    )


# --- Giving one ------------------------------------------------------------------------------------------------------


def test_the_teacher_gives_a_certificate(client_for, course, enrolled, teacher):
    User.objects.filter(pk=enrolled.pk).update(first_name="Илья", last_name="Морозов")

    with time_machine.travel("2026-03-02T09:00Z", tick=False):
        response = issue(client_for("teacher"), enrolled, course)

    certificate = Certificate.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "id": str(certificate.pk),
        "student": str(enrolled.pk),
        "student_profile": {
            "id": str(enrolled.pk),
            "username": None,
            "first_name": "Илья",
            "last_name": "Морозов",
            "email": "enrolled@test.io",
            "avatar": None,
            "role": "student",
        },
        "course": str(course.pk),
        "number": certificate.number,
        "verification_code": certificate.verification_code,
        "verification_url": f"http://testserver/api/certificates/verify/{certificate.verification_code}/",
        "pdf_url": f"http://testserver{one(certificate)}pdf/",
        "student_name": "Илья Морозов",
        "course_title": "Python basics",
        "score": None,
        "status": "issued",
        "issued_at": "2026-03-02T09:00:00Z",
        "issued_by": str(teacher.pk),
        "revoked_at": None,
        "revocation_reason": "",
        "created_at": "2026-03-02T09:00:00Z",
        "updated_at": "2026-03-02T09:00:00Z",
    }


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 403),
        ("enrolled", 403),
        ("other", 403),
        ("moderator", 403),
        ("teacher", 201),
        ("admin", 201),
    ],
)
def test_who_may_give_a_certificate(client_for, course, enrolled, who, status):
    response = issue(client_for(who), enrolled, course)

    assert response.status_code == status
    assert Certificate.objects.exists() is (status == 201)


def test_one_valid_certificate_at_a_time(client_for, course, enrolled, certificate):
    response = issue(client_for("teacher"), enrolled, course)

    assert (response.status_code, response.json()["code"]) == (409, "already_issued")
    assert Certificate.objects.count() == 1


@pytest.mark.parametrize("change", ["the course", "its owner"])
def test_a_course_that_gives_none(client_for, course, enrolled, admin, change):
    if change == "the course":
        Course.objects.update(certificate_enabled=False)
    else:
        User.objects.filter(pk=course.owner_id).update(role="student")

    response = issue(client_for("admin"), enrolled, course)

    assert (response.status_code, response.json()["code"]) == (409, "no_certificate")
    assert not Certificate.objects.exists()


@pytest.mark.parametrize("who", ["student", "teacher", "revoked", "nobody"])
def test_whoever_does_not_study_the_course_gets_none(client_for, course, student, teacher, who):
    if who == "revoked":
        EnrollmentFactory(user=student, course=course, status="revoked")
    person = {"teacher": teacher, "nobody": SimpleNamespace(pk=UNKNOWN)}.get(who, student)

    response = issue(client_for("teacher"), person, course)

    assert response.status_code == 400
    assert [(error["attr"], error["code"]) for error in response.json()["errors"]] == [("student", "not_enrolled")]
    assert not Certificate.objects.exists()


@pytest.mark.parametrize("status", ["active", "completed", "expired"])
def test_past_students_get_one_too(client_for, course, enrolled, status):
    Enrollment.objects.update(status=status, completed_at=timezone.now() if status == "completed" else None)

    assert issue(client_for("teacher"), enrolled, course).status_code == 201


@pytest.mark.parametrize("field", ["student", "course"])
@pytest.mark.parametrize(("value", "code"), [(None, "null"), ("", "invalid"), ("1", "invalid"), (..., "required")])
def test_a_body_that_names_nobody(client_for, course, enrolled, field, value, code):
    body = {"student": str(enrolled.pk), "course": str(course.pk), field: value}
    body = {name: value for name, value in body.items() if value is not ...}

    response = client_for("teacher").post(URL, body)

    assert response.status_code == 400
    assert [(error["attr"], error["code"]) for error in response.json()["errors"]] == [(field, code)]


@pytest.mark.parametrize("course_is", ["hidden", "missing"])
def test_a_course_that_one_may_not_know_of(client_for, course, enrolled, course_is):
    Course.objects.update(status="draft")
    named = course if course_is == "hidden" else SimpleNamespace(pk=UNKNOWN)

    assert issue(client_for("other"), enrolled, named).status_code == 404


def test_nothing_else_of_a_certificate_is_chosen(client_for, course, enrolled):
    forged = {"number": "LYC-1", "verification_code": "ABC", "score": 100, "student_name": "X", "status": "revoked"}

    response = client_for("teacher").post(URL, {"student": str(enrolled.pk), "course": str(course.pk), **forged})

    assert response.status_code == 201
    assert not forged.items() & response.json().items()


def test_a_certificate_is_told_to_its_student(client_for, course, enrolled):
    User.objects.filter(pk=enrolled.pk).update(language="en")

    issue(client_for("teacher"), enrolled, course)

    note = Notification.objects.get(recipient=enrolled, kind="certificate_issued")
    certificate = Certificate.objects.get()
    assert note.subject == "Your certificate: “Python basics”"
    assert certificate.number in note.message
    assert note.url == f"https://lyceum.test/certificates/{certificate.pk}"
    assert note.email_status == "pending"


# --- What stands in it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "name"),
    [
        ({"first_name": "Илья", "last_name": "Морозов"}, "Илья Морозов"),
        ({"first_name": "Ada", "last_name": ""}, "Ada"),
        ({"first_name": "", "last_name": "", "username": "ada"}, "ada"),
        ({"first_name": "", "last_name": ""}, "Студент"),  # in the language of the course
    ],
)
def test_the_name_in_it(client_for, course, enrolled, person, name):
    User.objects.filter(pk=enrolled.pk).update(**person)

    assert issue(client_for("teacher"), enrolled, course).json()["student_name"] == name


def test_the_longest_names_fit(client_for, course, enrolled):
    User.objects.filter(pk=enrolled.pk).update(first_name="И" * 100, last_name="М" * 100)
    Course.objects.update(title="Т" * 200)

    assert issue(client_for("teacher"), enrolled, course).status_code == 201


def test_the_score_is_that_of_the_best_final_attempt(client_for, course, enrolled):
    final = AttemptFactory(quiz__course=course, quiz__is_final=True, student=enrolled, score=Decimal("66.67")).quiz
    AttemptFactory(quiz=final, student=enrolled, number=2, score=50)
    AttemptFactory(quiz=final, score=100)
    AttemptFactory(quiz__course=course, student=enrolled, score=90)
    SubmissionFactory(assignment__lesson=course.lessons.first(), student=enrolled, graded=True)

    assert issue(client_for("teacher"), enrolled, course).json()["score"] == 66.67


def test_without_a_final_quiz_the_score_is_that_of_the_assignments(client_for, course, enrolled):
    lesson = course.lessons.first()
    for points, out_of in ((80, 100), (5, 20)):
        assignment = AssignmentFactory(lesson=lesson, max_score=out_of)
        SubmissionFactory(assignment=assignment, student=enrolled, graded=True, score=points)
    SubmissionFactory(assignment__lesson=lesson, student=enrolled, status="returned", raw_score=1, score=1)

    assert issue(client_for("teacher"), enrolled, course).json()["score"] == 70.83


@pytest.mark.parametrize("path", ["", "verify"])
def test_names_stay_as_they_were(client_for, api, course, enrolled, path):
    User.objects.filter(pk=enrolled.pk).update(first_name="Ada", last_name="Byron")
    client = client_for("teacher")
    given = issue(client, enrolled, course).json()

    client_for("enrolled").patch("/api/users/me/", {"last_name": "Lovelace"})
    client.patch(f"/api/courses/{course.pk}/", {"title": "Renamed"})

    seen = verify(api, given["verification_code"]) if path else client.get(f"{URL}{given['id']}/")
    assert (seen.json()["student_name"], seen.json()["course_title"]) == ("Ada Byron", "Python basics")


def test_the_score_stays_as_it_was(client_for, course, enrolled):
    given = issue(client_for("teacher"), enrolled, course).json()
    SubmissionFactory(assignment__lesson=course.lessons.first(), student=enrolled, graded=True)

    assert client_for("enrolled").get(f"{URL}{given['id']}/").json()["score"] is None


def test_numbers_and_codes_are_long_and_by_chance():
    made = [(Certificate().number, Certificate().verification_code) for _ in range(500)]

    numbers, codes = (set(each) for each in zip(*made, strict=True))
    assert (len(numbers), len(codes)) == (500, 500)
    assert all(re.fullmatch(r"LYC-\d{8}-[0-9A-HJKMNP-TV-Z]{8}", number) for number in numbers)
    assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{24}", code) for code in codes)
    assert all(len({code[place] for code in codes}) == 32 for place in range(24))  # every letter at every place


def test_the_day_in_the_number_is_that_of_the_project():
    with time_machine.travel("2026-03-02T22:00Z", tick=False):
        assert Certificate().number.startswith("LYC-20260303-")


@pytest.mark.parametrize("field", ["number", "verification_code"])
def test_the_number_and_the_code_are_unique(certificate, field):
    assert Certificate._meta.get_field(field).unique


# --- Reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "pdf/"])
@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("anonymous", 401),
        ("student", 404),
        ("other", 404),
        ("enrolled", 200),
        ("teacher", 200),
        ("moderator", 200),
        ("admin", 200),
    ],
)
def test_who_may_read_a_certificate(client_for, certificate, path, who, status):
    assert client_for(who).get(one(certificate) + path).status_code == status


@pytest.mark.parametrize(
    ("who", "count"),
    [("student", 0), ("other", 1), ("enrolled", 1), ("teacher", 1), ("moderator", 2), ("admin", 2)],
)
def test_who_lists_what(client_for, certificate, other, who, count):
    CertificateFactory(course__owner=other)

    assert client_for(who).get(URL).json()["count"] == count


def test_filters(client_for, certificate, course, enrolled):
    now_revoked(CertificateFactory(course=course))
    CertificateFactory()
    client = client_for("admin")

    counts = [
        client.get(URL, {name: value}).json()["count"]
        for name, value in (("status", "issued"), ("student", enrolled.pk), ("course", course.pk), ("course", UNKNOWN))
    ]

    assert counts == [2, 1, 2, 0]


@pytest.mark.parametrize("params", [{"status": "lost"}, {"student": "1"}, {"number": "1"}, {"ordering": "score"}])
def test_unknown_filters(client_for, certificate, params):
    assert client_for("admin").get(URL, params).status_code == 400


def test_the_newest_first(client_for, certificate, course):
    newer = CertificateFactory(course=course)

    lines = client_for("teacher").get(URL).json()["results"]

    assert [line["id"] for line in lines] == [str(newer.pk), str(certificate.pk)]


@pytest.mark.parametrize("rows", [1, 100])
def test_queries_of_the_list(client_for, course, certificate, rows, django_assert_max_num_queries):
    people = User.objects.bulk_create(User(email=f"{n}@test.io", password="x") for n in range(rows - 1))
    Certificate.objects.bulk_create(Certificate(student=each, course=course, language="ru") for each in people)
    client = client_for("teacher")

    with django_assert_max_num_queries(2):  # the user; the page with its count
        response = client.get(URL, {"page_size": 100})

    assert len(response.json()["results"]) == rows


# --- Taking it back --------------------------------------------------------------------------------------------------


def test_revoking_with_a_reason(client_for, certificate):
    response = revoke(client_for("teacher"), certificate, revocation_reason="Copied")

    assert response.status_code == 200
    assert (response.json()["status"], response.json()["revocation_reason"]) == ("revoked", "Copied")
    assert response.json()["revoked_at"] is not None


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({}, "revocation_reason"),
        ({"revocation_reason": " "}, "revocation_reason"),
        ({"revocation_reason": None}, "revocation_reason"),
        ({"revocation_reason": "x" * 501}, "revocation_reason"),
        ({"revocation_reason": "Copied", "status": "issued"}, "status"),
    ],
)
def test_revoking_without_a_reason(client_for, certificate, body, attr):
    response = revoke(client_for("teacher"), certificate, **body)

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == [attr]
    assert Certificate.objects.get().is_valid


def test_deleting_revokes_and_keeps_the_row(client_for, certificate):
    response = client_for("teacher").delete(one(certificate))

    certificate.refresh_from_db()
    assert response.status_code == 204
    assert (certificate.status, certificate.revoked_at is not None) == ("revoked", True)


def test_deleting_takes_a_reason(client_for, certificate):
    client_for("teacher").delete(one(certificate), {"revocation_reason": "Copied"})

    assert Certificate.objects.get().revocation_reason == "Copied"


@pytest.mark.parametrize("how", ["put", "delete"])
@pytest.mark.parametrize(
    ("who", "status"),
    [("anonymous", 401), ("student", 404), ("other", 404), ("enrolled", 403), ("moderator", 403)],
)
def test_who_may_not_revoke(client_for, certificate, how, who, status):
    response = getattr(client_for(who), how)(one(certificate), {"revocation_reason": "Copied"})

    assert response.status_code == status
    assert Certificate.objects.get().is_valid


@pytest.mark.parametrize("how", ["put", "delete"])
def test_an_admin_revokes_anyones(client_for, certificate, how):
    getattr(client_for("admin"), how)(one(certificate), {"revocation_reason": "Copied"})

    assert not Certificate.objects.get().is_valid


def test_revoking_again_changes_nothing(client_for, certificate):
    client = client_for("teacher")
    revoke(client, certificate, revocation_reason="Copied")
    before = Certificate.objects.values().get()

    response = revoke(client, certificate, revocation_reason="Another")

    assert response.status_code == 200
    assert Certificate.objects.values().get() == before


def test_a_certificate_is_not_changed_in_parts(client_for, certificate):
    assert client_for("admin").patch(one(certificate), {"student_name": "X"}).status_code == 405


def test_a_new_one_is_given_after_the_first_was_revoked(client_for, course, enrolled, certificate):
    client = client_for("teacher")
    revoke(client, certificate, revocation_reason="Misspelt")

    response = issue(client, enrolled, course)

    assert response.status_code == 201
    assert list(Certificate.objects.order_by("created_at").values_list("status", flat=True)) == ["revoked", "issued"]
    assert response.json()["number"] != certificate.number


# --- People who leave ------------------------------------------------------------------------------------------------


def test_leaving_takes_the_name_out(client_for, api, enrolled, certificate):
    client_for("enrolled").delete("/api/users/me/", {"password": PASSWORD})

    seen = verify(api, certificate.verification_code).json()
    assert (seen["valid"], seen["student_name"]) == (True, "")
    assert "Морозов" not in verify(api, certificate.verification_code, BROWSER).content.decode()


def test_leaving_takes_the_name_out_of_revoked_ones_too(enrolled, certificate):
    now_revoked(certificate)

    anonymise_user(enrolled)

    assert Certificate.objects.get().student_name == ""


def test_somebody_elses_leaving_leaves_the_name(student, certificate):
    anonymise_user(student)

    assert Certificate.objects.get().student_name == "Илья Морозов"


def test_a_certificate_without_a_name_is_still_printed(client_for, enrolled, certificate):
    anonymise_user(enrolled)

    assert client_for("teacher").get(f"{one(certificate)}pdf/").status_code == 200


# --- Verifying -------------------------------------------------------------------------------------------------------


def test_verifying_a_valid_one(api, certificate):
    response = verify(api, certificate.verification_code)

    assert response.status_code == 200
    assert response.json() == {
        "valid": True,
        "status": "valid",
        "number": certificate.number,
        "student_name": "Илья Морозов",
        "course_title": "Python basics",
        "score": 92.5,
        "issued_at": response.json()["issued_at"],
        "revoked_at": None,
    }


def test_verifying_a_revoked_one(api, certificate):
    now_revoked(certificate)

    response = verify(api, certificate.verification_code)

    assert response.status_code == 200
    assert (response.json()["valid"], response.json()["status"]) == (False, "revoked")
    assert response.json()["revoked_at"] is not None


@pytest.mark.parametrize("accept", ["application/json", "*/*", BROWSER])
def test_what_is_nobodys_business_is_not_told(api, enrolled, certificate, accept):
    now_revoked(certificate)

    seen = verify(api, certificate.verification_code, accept).content.decode()

    for secret in (enrolled.email, str(enrolled.pk), str(certificate.pk), "@", "A mistake"):
        assert secret not in seen


@pytest.mark.parametrize("accept", ["application/json", BROWSER])
@pytest.mark.parametrize("code", ["0" * 24, "A", "9" * 64])
def test_an_unknown_code(api, certificate, accept, code):
    response = verify(api, code, accept)

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html" if accept == BROWSER else "application/problem+json")


@pytest.mark.parametrize("code", ["0" * 65, "%00", "a-b", "а" * 24])
def test_what_is_no_code_at_all(api, certificate, code):
    assert verify(api, code).status_code == 404


def test_small_letters_will_do(api, certificate):
    assert verify(api, certificate.verification_code.lower()).status_code == 200


def test_a_number_is_no_code(api, certificate):
    assert verify(api, certificate.number.replace("-", "")).status_code == 404


def test_a_token_that_has_gone_off_does_not_matter(api, certificate):
    api.credentials(HTTP_AUTHORIZATION="Bearer old")

    assert verify(api, certificate.verification_code).status_code == 200


@pytest.mark.parametrize(
    ("language", "heading", "words"),
    [
        ("en", "This certificate is valid", ("“Python basics”", "Issued", "March 2, 2026")),
        ("ru", "Сертификат действителен", ("«Python basics»", "Выдан", "2 марта 2026")),
    ],
)
def test_the_page(api, certificate, language, heading, words):
    Certificate.objects.update(issued_at="2026-03-02T09:00Z")

    response = verify(api, certificate.verification_code, BROWSER, HTTP_ACCEPT_LANGUAGE=language)

    page = response.content.decode()
    assert (response.status_code, response["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f'<html lang="{language}">' in page
    for text in (heading, "Илья Морозов", certificate.number, *words):
        assert text in page


@pytest.mark.parametrize(
    ("language", "heading"), [("en", "This certificate has been revoked"), ("ru", "Сертификат отозван")]
)
def test_the_page_of_a_revoked_one(api, certificate, language, heading):
    now_revoked(certificate)

    page = verify(api, certificate.verification_code, BROWSER, HTTP_ACCEPT_LANGUAGE=language).content.decode()

    assert f"<h1>{heading}</h1>" in page


@pytest.mark.parametrize(("language", "heading"), [("en", "No such certificate"), ("ru", "Нет такого сертификата")])
def test_the_page_of_an_unknown_code(api, db, language, heading):
    page = verify(api, "0" * 24, BROWSER, HTTP_ACCEPT_LANGUAGE=language).content.decode()

    assert f"<h1>{heading}</h1>" in page


def test_markup_in_names_stays_text(api, course):
    certificate = CertificateFactory(student_name="<script>alert(1)</script>", course_title="<b>Bold</b>")

    page = verify(api, certificate.verification_code, BROWSER).content.decode()

    assert "<script>" not in page
    assert "<b>" not in page


# --- The PDF ---------------------------------------------------------------------------------------------------------


def pdf(client, certificate):
    response = client.get(f"{one(certificate)}pdf/")
    assert response.status_code == 200, response.content
    return response.content


def test_the_pdf(client_for, certificate):
    response = client_for("enrolled").get(f"{one(certificate)}pdf/")

    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'inline; filename="{certificate.number}.pdf"'
    assert response.content.startswith(b"%PDF-")
    assert response.content.rstrip().endswith(b"%%EOF")


def test_the_pdf_is_the_same_each_time(client_for, certificate):
    client = client_for("enrolled")

    with time_machine.travel(timezone.now() + timezone.timedelta(minutes=2)):
        later = pdf(client, certificate)

    assert pdf(client, certificate) == later


def test_the_pdf_is_the_same_for_everyone(client_for, certificate):
    first, second = client_for("enrolled"), client_for("teacher")
    second.credentials(**second._credentials, HTTP_ACCEPT_LANGUAGE="en")

    assert pdf(first, certificate) == pdf(second, certificate)


def test_the_pdf_has_one_page(client_for, certificate):
    document = pdf(client_for("enrolled"), certificate)

    assert len(re.findall(rb"/Type /Page\s", document)) == 1
    assert b"/Count 1 " in document


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_the_pdf_reads(client_for, certificate, language):
    Certificate.objects.update(language=language, issued_at="2026-03-02T09:00Z", course_title="Звёзды & Stars")

    lines = lines_of(pdf(client_for("enrolled"), certificate))

    expected = {
        "ru": ("СЕРТИФИКАТ", "Илья Морозов", "«Звёзды & Stars»", "2 марта 2026 г."),
        "en": ("CERTIFICATE", "Илья Морозов", "“Звёзды & Stars”", "March 2, 2026"),
    }[language]
    assert {*expected, "LYCEUM", certificate.number, certificate.verification_code} <= set(lines)
    assert any("92,5 %" in line if language == "ru" else "92.5 %" in line for line in lines)


@pytest.mark.parametrize(
    ("score", "read"), [("0", "0 %"), ("100", "100 %"), ("80.00", "80 %"), ("66.67", "66.67 %"), ("70.50", "70.5 %")]
)
def test_the_score_on_the_pdf(course, enrolled, score, read):
    certificate = CertificateFactory(student=enrolled, course=course, language="en", score=Decimal(score))

    assert any(line.endswith(f" {read}") for line in lines_of(certificates.render_certificate(certificate)))


def test_a_certificate_without_a_score(client_for, certificate):
    Certificate.objects.update(score=None)

    assert not any("%" in line for line in lines_of(pdf(client_for("enrolled"), certificate)))


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Константин Константинопольский-Верхнеуральский", "Основы наблюдательной астрономии " * 6),
        ("Щ" * 100 + " " + "Щ" * 100, "Ш" * 200),
        ("W" * 201, "W" * 200),
        ("i" * 201, "слово " * 33),
        ("", "x"),
        ("محمد 李雷 👩‍🚀", "日本語 – \u200b\u202e"),
        ("a\tb\nc", "( ) \\ ( <>"),
    ],
)
def test_texts_of_any_length_and_alphabet(client_for, certificate, name, title):
    Certificate.objects.update(student_name=name, course_title=title.strip())

    document = pdf(client_for("enrolled"), certificate)

    assert len(re.findall(rb"/Type /Page\s", document)) == 1


@pytest.mark.parametrize("text", ["Щ" * 100 + " " + "Щ" * 99, "Слово " * 33])
@pytest.mark.parametrize("field", ["student_name", "course_title"])
def test_no_letter_of_a_long_text_is_lost(client_for, certificate, field, text):
    Certificate.objects.update(**{field: text.strip()})

    read = "".join(lines_of(pdf(client_for("enrolled"), certificate)))

    assert text.replace(" ", "") in read.replace(" ", "")


def test_the_code_to_scan_holds_the_verification_url(client_for, certificate, monkeypatch):
    drawn = []
    draw = certificates.QrCodeWidget
    monkeypatch.setattr(certificates, "QrCodeWidget", lambda url, **how: drawn.append(url) or draw(url, **how))

    pdf(client_for("enrolled"), certificate)

    assert drawn == [f"http://testserver/api/certificates/verify/{certificate.verification_code}/"]


def test_a_revoked_one_is_not_printed(client_for, certificate):
    now_revoked(certificate)

    response = client_for("enrolled").get(f"{one(certificate)}pdf/")

    assert (response.status_code, response.json()["code"]) == (409, "revoked")


def test_a_certificate_is_revoked_in_its_own_gender():
    """Russian tells a certificate, which is masculine, from an enrollment, which is feminine."""
    with translation.override("ru"):
        assert str(Certificate.Status.REVOKED.label) == "Отозван"
        assert str(Enrollment.Status.REVOKED.label) == "Отозвана"
