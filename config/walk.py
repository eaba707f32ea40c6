"""`make demo`: the main job of the platform, walked over HTTP as a teacher, a student and an admin would.

Uses the server on PORT, with the settings that it runs on; without one, starts its own, on free ports and in a folder
of its own, and stops it at the end. Ends with 1 at the first step that does not hold.
"""

import argparse
import email
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from dotenv import dotenv_values

WAIT_SECONDS = 30
PASSWORD = secrets.token_urlsafe(16)  # of the accounts that the walk makes for itself: one of them is an admin
TEST_CARD = "4242 4242 4242 4242"


class StepError(Exception):
    """Something that the walk relies on does not hold."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    configured = os.environ.get("PORT") or dotenv_values(".env").get("PORT")
    parser.add_argument("--port", type=int, default=configured or 8000)
    port = parser.parse_args().port
    with ExitStack() as stack:
        if not _is_lyceum(port):
            print(f"No Lyceum answers on port {port}: starting one for the walk …")
            port = stack.enter_context(_own_server())
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        import django

        django.setup()
        started = time.monotonic()
        try:
            Walk(f"http://127.0.0.1:{port}").run()
        except StepError as error:
            print(f"\n  ✗ {error}")
            return 1
    print(f"\nEverything held, in {time.monotonic() - started:.1f} s.")
    return 0


class Person:
    """Someone with a browser: a name, a session, and what they do over HTTP."""

    def __init__(self, base: str, name: str) -> None:
        self.base = base
        self.name = name
        self.email = ""
        self.session = requests.Session()
        self.session.headers["Accept-Language"] = "en"

    def register(self, role: str) -> None:
        self.email = f"{self.name.lower()}-{secrets.token_hex(4)}@example.com"
        fields = {"email": self.email, "password": PASSWORD, "first_name": self.name, "role": role}
        self.ask("POST", "/api/auth/register/", fields, expect=201)
        self.confirm_email()
        self.log_in(PASSWORD)

    def confirm_email(self) -> None:
        """By the key of the letter: before, no other letters come."""
        from users.keys import email_key
        from users.models import User

        user = User.objects.get(email=self.email)
        self.ask("POST", "/api/auth/email/verify/", {"key": email_key(user, user.email)}, expect=204)

    def log_in(self, password: str) -> None:
        pair = self.ask("POST", "/api/auth/token/", {"email": self.email, "password": password})
        self.session.headers["Authorization"] = f"Bearer {pair['access']}"

    def ask(self, method: str, path: str, body: Any = None, *, expect: int = 200, **query: str) -> Any:
        """The answer's JSON; StepError for any other status than the one expected."""
        answer = self.session.request(method, self.base + path, json=body, params=query, timeout=15)
        if answer.status_code != expect:
            raise StepError(f"{method} {path} answered {answer.status_code} instead of {expect}: {answer.text[:500]}")
        return answer.json() if answer.content else None


class Walk:
    def __init__(self, base: str) -> None:
        self.base = base
        self.teacher = Person(base, "Vera")
        self.student = Person(base, "Ilya")
        self.admin = Person(base, "Maria")
        self.editor = Person(base, "Editor")

    def run(self) -> None:
        self.people()
        self.publishing()
        self.finding()
        self.subscribing()
        self.paying()
        self.updating()
        self.history()
        self.working()
        self.studying()
        self.examining()
        self.certifying()
        self.refunding()
        self.messaging()
        self.blogging()
        self.deactivating()
        self.tidying()

    def people(self) -> None:
        _title("A teacher and a student register")
        self.teacher.register("teacher")
        self.student.register("student")
        _done(f"{self.teacher.email} teaches, {self.student.email} studies")

    def publishing(self) -> None:
        _title("The teacher publishes a course")
        self.word = "".join(secrets.choice("bcdfghklmnprstvz") + secrets.choice("aeiou") for _ in range(4))
        course = self.teacher.ask(
            "POST",
            "/api/courses/",
            {"title": f"Звёздное небо: {self.word}", "description": "Учимся читать небо", "price": "1490.00"},
            expect=201,
        )
        self.course = f"/api/courses/{course['id']}/"
        self.course_id = course["id"]
        for number, title in enumerate(["С чего начать", "Созвездия зимы", "Луна и планеты"], 1):
            self.teacher.ask(
                "POST",
                f"{self.course}lessons/",
                {
                    "title": title,
                    "body": f"# {title}\n\nТекст урока.",
                    "video_url": "https://youtu.be/0rHUDWjR5gg",
                    "is_preview": number == 1,
                },
                expect=201,
            )
        _done("a course for 1490.00 RUB with three lessons, the first of them a free preview")

    def finding(self) -> None:
        _title("The student finds it, sees its outline, and not its content")
        found = self.student.ask("GET", "/api/courses/", search=f"звёзды {self.word}")
        _check(found["count"] == 1, "the search finds it by another form of its title's word")
        course = self.student.ask("GET", self.course)
        self.lessons = course["lessons"]
        _check(
            [lesson["is_locked"] for lesson in self.lessons] == [False, True, True], "the outline shows what is locked"
        )
        preview = self.student.ask("GET", f"/api/lessons/{self.lessons[0]['id']}/")
        _check(preview["body"], "the preview is open")
        refusal = self.student.ask("GET", f"/api/lessons/{self.lessons[1]['id']}/", expect=403)
        _check(refusal["code"] == "payment_required", "a closed lesson says what to do: payment_required")

    def subscribing(self) -> None:
        _title("The student subscribes to its updates")
        self.student.ask("POST", f"{self.course}subscription/", expect=201)
        _done("subscribed")

    def paying(self) -> None:
        _title("The student pays, with a coupon and a test card")
        from payments.models import Coupon

        coupon = Coupon.objects.create(code=f"SKY-{secrets.token_hex(4)}".upper(), percent=10, max_uses=1)
        body = {"paid_course": self.course_id, "coupon": coupon.code.lower()}
        quote = self.student.ask("POST", "/api/payments/preview/", body)
        _check((quote["price"], quote["amount"]) == ("1490.00", "1341.00"), "a preview: a tenth less, 1341.00 RUB")
        payment = self.student.ask("POST", "/api/payments/", body, expect=201)
        _check(payment["amount"] == quote["amount"], "the payment asks for just that")
        again = self.student.ask("POST", "/api/payments/", body, expect=200)
        _check(again == payment, "asking twice opens one payment")
        page = requests.post(payment["payment_url"], data={"card_number": TEST_CARD}, timeout=15, allow_redirects=False)
        _check(page.status_code == 303, "the payment page takes the card and leads back")
        back = requests.get(page.headers["Location"], headers={"Accept": "application/json"}, timeout=15)
        _check(back.json()["status"] == "succeeded", "the return page says that the payment has succeeded")
        lesson = self.student.ask("GET", f"/api/lessons/{self.lessons[1]['id']}/")
        _check(lesson["body"], "the content is open")
        refusal = self.student.ask("POST", "/api/payments/", {"paid_course": self.course_id}, expect=409)
        _check(refusal["code"] == "already_owned", "it cannot be bought twice")
        self.payment_id = payment["payment_id"]

    def updating(self) -> None:
        _title("The teacher edits a lesson; the student gets one letter")
        from materials.tasks import send_course_update_notification

        path = f"/api/lessons/{self.lessons[1]['id']}/"
        self.teacher.ask("PATCH", path, {"title": "Созвездия зимы и весны"})
        _wait(lambda: len(self._update_letters()) == 1, "the letter arrives")
        self.teacher.ask("PATCH", path, {"title": "Созвездия зимы, весны и лета"})
        _check(
            send_course_update_notification(self.course_id) == 0, "a second edit within four hours waits for its digest"
        )
        _check(len(self._update_letters()) == 1, "still one letter")

    def _update_letters(self) -> list[str]:
        """Message-IDs of the update letters that the student has got."""
        from django.conf import settings

        from users.models import Notification

        updates = Notification.objects.filter(recipient__email=self.student.email, kind="course_updated")
        sent = [str(pk) for pk in updates.filter(email_status="sent").values_list("pk", flat=True)]
        if not settings.EMAIL_BACKEND.endswith("FileBackend"):
            return sent
        letters = Path(settings.EMAIL_FILE_PATH).glob("*.eml")
        ids = [email.message_from_bytes(path.read_bytes())["Message-ID"].strip("<>") for path in letters]
        return [message_id for message_id in ids if message_id.partition("@")[0] in sent]

    def history(self) -> None:
        _title("The student's history shows the payment")
        payments = self.student.ask("GET", "/api/payments/")
        _check([p["id"] for p in payments["results"]] == [self.payment_id], "one payment, and it is this one")
        first = payments["results"][0]
        _check((first["status"], first["amount"]) == ("succeeded", "1341.00"), "1341.00 RUB, succeeded")

    def working(self) -> None:
        _title("The teacher asks for work; the student hands it in, twice")
        lesson = f"{self.course}lessons/{self.lessons[1]['id']}/"
        asked = {"title": "Карта неба", "due_at": _in_a_week(), "max_score": 100, "late_penalty_percent_per_day": 10}
        assignment = self.teacher.ask("POST", f"{lesson}assignments/", asked, expect=201)
        path = f"{lesson}assignments/{assignment['id']}/submissions/"
        first = self.student.ask("POST", path, {"text": "Вот моя карта"}, expect=201)
        look_again = {"status": "returned", "feedback": "Не хватает Ориона"}
        self.teacher.ask("POST", f"{path}{first['id']}/grade/", look_again)
        second = self.student.ask("PUT", f"{path}{first['id']}/", {"text": "Вот моя карта, с Орионом"})
        _check(second["id"] == first["id"], "returned, and handed in again: the submission keeps its id")
        _check(second["versions"][0]["text"] == "Вот моя карта", "and its first version is kept")
        too_much = self.teacher.ask("POST", f"{path}{second['id']}/grade/", {"score": 101}, expect=400)
        _check(too_much["errors"][0]["attr"] == "score", "a score over the maximum is refused, naming the field")
        unread = {"score": 90, "version": first["version"]}
        stale = self.teacher.ask("POST", f"{path}{first['id']}/grade/", unread, expect=409)
        _check(stale["code"] == "stale_version", "a grade for the version that was replaced is refused")
        grade = {"score": 90, "feedback": "Отлично", "version": second["version"]}
        graded = self.teacher.ask("POST", f"{path}{second['id']}/grade/", grade)
        _check((graded["status"], graded["score"]) == ("graded", 90), "graded: 90 of 100")

    def studying(self) -> None:
        _title("The student completes the lessons")
        self.exam = self.teacher.ask("POST", f"{self.course}quizzes/", FINAL_QUIZ, expect=201)["id"]
        for lesson in self.lessons:
            progress = self.student.ask("POST", f"/api/lessons/{lesson['id']}/complete/")
        _check(progress["percent"] == 100, "all three lessons are done")
        _check([item["kind"] for item in progress["remaining"]] == ["quiz"], "what remains is the final quiz")

    def examining(self) -> None:
        _title("The final quiz: the server keeps the time and the key")
        attempts = f"{self.course}quizzes/{self.exam}/attempts/"
        attempt = self.student.ask("POST", attempts, expect=201)
        _check("is_correct" not in str(attempt), "nothing in the attempt tells which choice is right")
        again = self.student.ask("POST", attempts)
        _check(again["id"] == attempt["id"], "while it is open, it is given back, in the same order")
        single, number = attempt["questions"]
        wrong = [{"question": number["id"], "number": 9}]
        result = self.student.ask("POST", f"{attempts}{attempt['id']}/submit/", {"answers": wrong})
        _check(not result["passed"], f"a first try: {result['score']} %, not passed")
        attempt = self.student.ask("POST", attempts, expect=201)
        sun = next(choice["id"] for choice in single["choices"] if choice["text"] == "Солнце")
        right = [{"question": single["id"], "choices": [sun]}, {"question": number["id"], "number": 8}]
        self.student.ask("PUT", f"{attempts}{attempt['id']}/answers/", {"answers": right})
        result = self.student.ask("POST", f"{attempts}{attempt['id']}/submit/")
        _check(result["passed"], f"a second try: {result['score']} %, passed")
        exhausted = self.student.ask("POST", attempts, expect=403)
        _check(exhausted["code"] == "attempts_exhausted", "there is no third one")

    def certifying(self) -> None:
        _title("The course is completed, and anyone may verify the certificate")
        progress = self.student.ask("GET", f"{self.course}progress/")
        _check(progress["completed_at"] and not progress["remaining"], "nothing remains to be done")
        certificates = self.student.ask("GET", "/api/users/certificates/")["results"]
        _check(len(certificates) == 1, "one certificate has been issued, by itself")
        certificate = certificates[0]
        pdf = self.student.session.get(f"{self.base}/api/users/certificates/{certificate['id']}/pdf/", timeout=15)
        _check(
            pdf.content.startswith(b"%PDF-"), f"number {certificate['number']}, as a PDF of {len(pdf.content)} bytes"
        )
        anyone = Person(self.base, "Anyone")
        verified = anyone.ask("GET", f"/api/certificates/verify/{certificate['verification_code']}/")
        _check(verified["valid"] and verified["student_name"] == "Ilya", "without signing in: valid, and whose it is")
        late = {"title": "Туманности"}
        self.teacher.ask("POST", f"{self.course}lessons/", late, expect=201)
        after = self.student.ask("GET", f"{self.course}progress/")
        _check(
            after["completed_at"] == progress["completed_at"], "a lesson that is added afterwards takes nothing back"
        )

    def refunding(self) -> None:
        _title("Another student pays in cash, and gets the money back")
        from users.models import User

        admin, buyer = self.admin, Person(self.base, "Petr")
        for person in (admin, buyer):
            person.register("student")
        User.objects.filter(email=admin.email).update(role=User.Role.ADMIN)
        body = {"paid_course": self.course_id, "payment_method": "cash"}
        payment = f"/api/payments/{buyer.ask('POST', '/api/payments/', body, expect=201)['payment_id']}/"
        buyer.ask("POST", f"{payment}confirm/", {"reference": "17"}, expect=403)
        paid = admin.ask("POST", f"{payment}confirm/", {"reference": "Cash receipt 17"})
        _check(paid["status"] == "succeeded", f"an admin confirms it: receipt {paid['receipt_number']}")
        buyer.ask("GET", f"/api/lessons/{self.lessons[1]['id']}/")
        buyer.ask("POST", f"{payment}refund-request/", {"reason": "Нет времени"}, expect=201)
        given = admin.ask("POST", f"{payment}refund/", {"reason": "requested_by_customer"})
        _check(given["status"] == "refunded", f"given back: credit note {given['refunds'][0]['credit_note_number']}")
        refusal = buyer.ask("GET", f"/api/lessons/{self.lessons[1]['id']}/", expect=403)
        _check(refusal["code"] == "payment_required", "the content is closed again")
        months = self.teacher.ask("GET", "/api/payments/sales/")["results"]
        _check([month["net"] for month in months] == ["1341.00"], "the teacher's sales, net of it: 1341.00 RUB")

    def messaging(self) -> None:
        _title("The student writes to the teacher, and nobody else reads it")
        teacher_id = self.teacher.ask("GET", "/api/users/me/")["id"]
        first = {"recipient": teacher_id, "text": "Спасибо за курс!"}
        begun = self.student.ask("POST", "/api/conversations/", first, expect=201)
        again = self.student.ask("POST", "/api/conversations/", {**first, "text": "И за карту"}, expect=201)
        _check(again["id"] == begun["id"], "a second message goes into the same conversation")
        talk = f"/api/conversations/{begun['id']}/"
        seen = self.teacher.ask("GET", "/api/conversations/")["results"][0]
        _check(
            (seen["unread_count"], seen["participants"][0]["first_name"]) == (2, "Ilya"), "the teacher has two unread"
        )
        told = self.teacher.ask("GET", "/api/users/notifications/", kind="message_received")["results"]
        _check(len(told) == 1, "and one notification, not one for each line")
        read = self.teacher.ask("POST", f"{talk}read/")
        _check(read["unread_count"] == 0, "reading sets the count back")
        stranger = Person(self.base, "Stranger")
        stranger.register("student")
        stranger.ask("GET", f"{talk}messages/", expect=404)
        _done("for anybody else there is no such conversation")
        self.teacher.ask("POST", f"{talk}block/")
        refusal = self.student.ask("POST", f"{talk}messages/", {"text": "Ещё?"}, expect=403)
        _check(refusal["code"] == "blocked", "whoever is blocked cannot write")

    def blogging(self) -> None:
        _title("A moderator writes in the blog")
        from django.contrib.auth.models import Group

        from users.models import MODERATORS, User

        editor = self.editor
        editor.register("student")
        refusal = editor.ask("POST", "/api/blog/", {"title": "Рано", "body": "…"}, expect=403)
        _check(refusal["code"] == "permission_denied", "a student may not")
        User.objects.get(email=editor.email).groups.add(Group.objects.get(name=MODERATORS))
        body = "Смотрите **вверх**.\n\n<script>alert(1)</script>"
        post = editor.ask("POST", "/api/blog/", {"title": f"Небо: {self.word}", "body": body}, expect=201)
        anyone = Person(self.base, "Anyone")
        anyone.ask("GET", f"/api/blog/{post['slug']}/", expect=404)
        _done(f"a draft, at the address {post['slug']}, which nobody else sees")
        self.post = f"/api/blog/{post['slug']}/"
        editor.ask("PATCH", self.post, {"status": "published"})
        shown = anyone.ask("GET", f"/api/blog/{post['slug']}/")["body_html"]
        _check("<strong>" in shown and "<script" not in shown, "published: Markdown is shown as HTML, a script as text")
        feed = anyone.session.get(f"{self.base}/api/blog/feed/", timeout=15)
        _check(f"/blog/{post['slug']}<" in feed.text, "the RSS feed has it")

    def deactivating(self) -> None:
        _title("Whoever has not visited for 30 days is put to sleep")
        from django.utils import timezone

        from users.models import User
        from users.tasks import deactivate_inactive_users

        sleeper, regular = Person(self.base, "Sonya"), Person(self.base, "Roma")
        for person, days in ((sleeper, 31), (regular, 29)):
            person.register("student")
            seen = timezone.now() - timedelta(days=days)
            User.objects.filter(email=person.email).update(last_login=seen, last_seen_at=None, date_joined=seen)
        deactivate_inactive_users()
        sleeper.ask("GET", "/api/users/me/", expect=401)
        sleeper.ask("POST", "/api/auth/token/", {"email": sleeper.email, "password": PASSWORD}, expect=401)
        _done("last seen 31 days ago: no token and no login any more")
        regular.ask("GET", "/api/users/me/")
        regular.log_in(PASSWORD)
        _done("last seen 29 days ago: as before")

    def tidying(self) -> None:
        _title("The walk puts away what it has made")
        self.editor.ask("DELETE", self.post, expect=204)
        self.teacher.ask("PATCH", self.course, {"status": "archived"})
        for person in (self.editor, self.admin):
            person.ask("DELETE", "/api/users/me/", {"password": PASSWORD}, expect=204)
        _done("the post is gone, the course is in the archive, and those who might do more than others have left")


FINAL_QUIZ = {
    "title": "Итоговый тест",
    "is_final": True,
    "passing_score": 60,
    "allowed_attempts": 2,
    "time_limit_minutes": 30,
    "questions": [
        {
            "kind": "single",
            "text": "Какая звезда ближе всех к нам?",
            "choices": [{"text": "Сириус", "is_correct": False}, {"text": "Солнце", "is_correct": True}],
        },
        {"kind": "number", "text": "Сколько планет в Солнечной системе?", "correct_number": 8, "tolerance": 0},
    ],
}


def _in_a_week() -> str:
    return (datetime.now(UTC) + timedelta(days=7)).isoformat()


# --- Telling, checking, waiting --------------------------------------------------------------------------------------


def _title(text: str) -> None:
    print(f"\n{text}")


def _done(text: str) -> None:
    print(f"  ✓ {text}")


def _check(holds: Any, text: str) -> None:
    if not holds:
        raise StepError(f"does not hold: {text}")
    _done(text)


def _wait(condition: Callable[[], bool], text: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise StepError(f"did not happen within {WAIT_SECONDS} s: {text}")
        time.sleep(0.1)
    _done(text)


# --- A server of the walk's own --------------------------------------------------------------------------------------


def _is_lyceum(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/healthz/", timeout=3).json() == {"status": "ok"}
    except (requests.RequestException, ValueError):
        return False


@contextmanager
def _own_server() -> Iterator[int]:
    port, stripe_port = _free_port(), _free_port()
    with tempfile.TemporaryDirectory(prefix="lyceum-demo-") as folder:
        os.environ |= {
            "DATA_DIR": folder,
            "PORT": str(port),
            "BASE_URL": f"http://127.0.0.1:{port}",
            "STRIPE_STAND_IN_PORT": str(stripe_port),
            # The walk is about the embedded mode: nothing of a developer's .env reaches a service or a real Stripe.
            **dict.fromkeys(SERVICES, ""),
        }
        log = Path(folder) / "serve.log"
        with log.open("wb") as output:
            server = subprocess.Popen(  # noqa: S603
                [sys.executable, "manage.py", "serve", "--port", str(port)],
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + 2 * WAIT_SECONDS
            while not re.search("Lyceum is ready", log.read_text(errors="replace")):
                if server.poll() is not None or time.monotonic() > deadline:
                    print(log.read_text(errors="replace"), file=sys.stderr)
                    raise SystemExit("The server did not start.")
                time.sleep(0.1)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=WAIT_SECONDS)


SERVICES = (
    "DATABASE_URL", "DB_NAME", "REDIS_URL", "REDIS_HOST", "CELERY_BROKER_URL", "EMAIL_HOST", "EMAIL_BACKEND",
    "STRIPE_SECRET_KEY", "STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRET", "FRONTEND_URL",
)  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
