"""The addresses of the front end's pages, all of them: what letters, notifications and pages lead to.

They lie below FRONTEND_URL. Until a web application is there, `config/pages.py` serves a small page at each.
"""

from typing import Any

from django.conf import settings


def _page(path: str) -> str:
    return f"{settings.FRONTEND_URL}{path}"


def home() -> str:
    return settings.FRONTEND_URL


def catalogue() -> str:
    return _page("/courses")


def course(course_id: Any) -> str:
    return _page(f"/courses/{course_id}")


def lesson(course_id: Any, lesson_id: Any) -> str:
    return _page(f"/courses/{course_id}/lessons/{lesson_id}")


def submission(course_id: Any, lesson_id: Any, assignment_id: Any, submission_id: Any) -> str:
    return f"{lesson(course_id, lesson_id)}/assignments/{assignment_id}/submissions/{submission_id}"


def conversation(conversation_id: Any) -> str:
    return _page(f"/messages/{conversation_id}")


def certificate(certificate_id: Any) -> str:
    """By its id or by the code that verifies it."""
    return _page(f"/certificates/{certificate_id}")


def blog(slug: str = "") -> str:
    return _page(f"/blog/{slug}" if slug else "/blog")


def password_reset(uid: str = "", token: str = "") -> str:
    """Where a letter to set a new password is asked for; with what the letter brought, where the password is set."""
    return _page(f"/password/reset/{uid}/{token}" if uid else "/password/reset")


def email_verification(key: str) -> str:
    return _page(f"/email/verify/{key}")


def social_callback(provider: str) -> str:
    """Where a provider of a sign-in sends the browser back to."""
    return _page(f"/auth/social/{provider}/callback")
