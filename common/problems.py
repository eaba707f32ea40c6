"""Every problem that an answer may tell of: the one list of codes.

The page that a problem's `type` leads to, and `docs/problems.md`, are made from it (`make schema`). A code that is not
here fails the tests. Texts are for whoever meets the problem; in backquotes stands what programs read.
"""

from dataclasses import dataclass

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Problem:
    """What a code means and what to do about it; the statuses that answers with it have."""

    statuses: tuple[int, ...]
    meaning: str | Promise
    advice: str | Promise


def type_of(code: str) -> str:
    """The address that says more of a problem: its `type`. It is served with a slash at its end, too."""
    return f"{settings.BASE_URL}/problems/{code}"


PROBLEMS: dict[str, Problem] = {
    "validation_error": Problem(
        (400,),
        _("One or more fields of the request are not valid."),
        _("Look at `errors`: each entry names a field, a code and a text for people. Show each text at its field."),
    ),
    "parse_error": Problem(
        (400,),
        _("The body could not be read: it is not what its Content-Type says."),
        _("Correct the request: this is a fault of the program that sent it."),
    ),
    "bad_request": Problem(
        (400,), _("The request is malformed."), _("Correct the request: this is a fault of the program that sent it.")
    ),
    "free": Problem(
        (400,),
        _("There is nothing to pay for."),
        _("Enroll in the course instead. A lesson whose price is 0 is not sold by itself."),
    ),
    "payment_refused": Problem(
        (400,),
        _("Stripe will not charge this amount or this card."),
        _("Show `detail`, and let the person pay in another way. Asking again starts anew."),
    ),
    "invalid_state": Problem(
        (400,),
        _("The way to the provider and back was not begun here, took more than ten minutes, or was used already."),
        _("Begin to sign in again."),
    ),
    "invalid_code": Problem(
        (400,), _("The provider does not accept the code that it gave."), _("Begin to sign in again.")
    ),
    "email_missing": Problem(
        (400,),
        _("The provider tells no email of this person."),
        _("Let the person allow the email at the provider, or sign in another way."),
    ),
    "invalid_idempotency_key": Problem(
        (400,),
        _("The Idempotency-Key is empty, too long, or not ASCII."),
        _("Send a key of 1 to 255 ASCII characters."),
    ),
    "invalid_signature": Problem(
        (400,),
        _("The event is not signed by Stripe."),
        _("Compare the webhook's secret at Stripe with STRIPE_WEBHOOK_SECRET."),
    ),
    "malformed_event": Problem(
        (400,), _("What was sent to the webhook is no event of Stripe's."), _("Send nothing else to this address.")
    ),
    "not_authenticated": Problem(
        (401,),
        _("The request brings no credentials, and this address needs them."),
        _("Log in and send the access token as `Authorization: Bearer …`."),
    ),
    "authentication_failed": Problem(
        (401,),
        _("The Authorization header is malformed."),
        _("Correct the request: this is a fault of the program that sent it."),
    ),
    "token_not_valid": Problem(
        (401,),
        _("The token is wrong, too old, or was ended."),
        _("Refresh the tokens and repeat the request once. If the refresh itself is refused, log in again."),
    ),
    "no_active_account": Problem(
        (401,),
        _("The email or the password is wrong, or the account is not active. Which of them is not told."),
        _("Look for a typo, or set a new password by letter: that also wakes an account that slept."),
    ),
    "user_inactive": Problem((401,), _("The account sleeps or is gone."), _("Forget the tokens and log in again.")),
    "payment_required": Problem(
        (402, 403),
        _("The course or the lesson has to be bought."),
        _("Offer to buy it by `POST /api/payments/`. With 402 the body says the `price` and the `currency`."),
    ),
    "permission_denied": Problem(
        (403,),
        _("You see this, but may not do it."),
        _("Ask somebody who may, or sign in as them. A program hides the button."),
    ),
    "not_enrolled": Problem(
        (403,),
        _("Only those who study the course may do this."),
        _("Enroll in the course: `POST /api/courses/{id}/enrollment/`."),
    ),
    "access_expired": Problem(
        (403,), _("Your access to the course has ended."), _("Enroll in the course or buy it again.")
    ),
    "access_revoked": Problem(
        (403,),
        _("Your access to the course was taken away: by an admin, by a refund, or by a lost dispute."),
        _("Ask the teacher or an admin. If the course costs something, it can be bought again."),
    ),
    "previous_lesson_required": Problem(
        (403,),
        _("The lessons of this course open one after another, and an earlier one is not completed."),
        _("Complete the lessons before it."),
    ),
    "deadline_passed": Problem(
        (403,),
        _("It is too late: the assignment takes no late work, or the time of the attempt is up."),
        _("Nothing more can be handed in. What an attempt had saved counts."),
    ),
    "resubmissions_not_allowed": Problem(
        (403,), _("This work is handed in once and not changed."), _("Ask the teacher to return it.")
    ),
    "attempts_exhausted": Problem(
        (403,), _("All allowed attempts at the quiz are used."), _("Ask the teacher for more attempts.")
    ),
    "email_not_verified": Problem(
        (403,),
        _("Your email is not verified yet."),
        _("Open the letter that confirms it, or have it sent again by `POST /api/auth/email/verify/resend/`."),
    ),
    "blocked": Problem(
        (403,), _("This person does not want to hear from you."), _("Nothing can be done from your side.")
    ),
    "you_blocked": Problem((403,), _("You have blocked this person."), _("Unblock them, then write.")),
    "recipient_inactive": Problem(
        (403,), _("This person is not here any more."), _("Nothing can be done from your side.")
    ),
    "fresh_proof_required": Problem(
        (403,),
        _("This needs fresh proof that it is you."),
        _("Send the `password` in the body, or sign in anew and repeat within ten minutes."),
    ),
    "csrf_failed": Problem(
        (403,),
        _("The form is out of date, or cookies are switched off."),
        _("Reload the page and send the form again."),
    ),
    "not_found": Problem(
        (404,),
        _("There is nothing at this address, as far as you may know."),
        _("Check the address and the id. What is hidden from you answers in the same way."),
    ),
    "method_not_allowed": Problem(
        (405,),
        _("This address does not know the method of the request."),
        _("Correct the request: this is a fault of the program that sent it."),
    ),
    "nothing_to_pay_for": Problem(
        (409,),
        _("The reason for this payment has ended: it is free by now, not for sale any more, or its buyer has left."),
        _("Give the money back."),
    ),
    "already_owned": Problem((409,), _("You own this already."), _("Open the course.")),
    "own_course": Problem(
        (409,), _("This is your own course: all of it is open to you."), _("There is nothing to buy or to enroll in.")
    ),
    "not_published": Problem(
        (409,), _("The course is not published, so nobody new enters it."), _("Wait until its author publishes it.")
    ),
    "payment_processing": Problem(
        (409,),
        _("An earlier payment for the same thing is on its way."),
        _("Wait for its outcome, and ask for its status."),
    ),
    "payment_disputed": Problem(
        (409,), _("Your bank disputes your payment for this."), _("Wait for the bank's decision.")
    ),
    "not_pending": Problem((409,), _("This payment does not await money."), _("Read the payment anew.")),
    "paid_by_card": Problem(
        (409,), _("Stripe says when a card has paid; nobody confirms it by hand."), _("Read the payment anew.")
    ),
    "not_refundable": Problem(
        (409,), _("Nothing of this payment can be given back."), _("Look at the payment and its refunds.")
    ),
    "refund_refused": Problem(
        (409,), _("Stripe did not carry the refund out."), _("Show `detail`, and look at the payment at Stripe.")
    ),
    "refund_in_progress": Problem(
        (409,), _("Another refund of this payment is on its way."), _("Ask again in a minute.")
    ),
    "refund_window_closed": Problem(
        (409,),
        _("The time in which a refund may be asked for is over."),
        _("Write to the school by the feedback form."),
    ),
    "already_requested": Problem((409,), _("A refund has been asked for already."), _("Wait for the answer.")),
    "already_decided": Problem((409,), _("This request for a refund has been decided."), _("Read the request anew.")),
    "idempotency_key_in_use": Problem(
        (409,),
        _("A request with the same Idempotency-Key is being carried out."),
        _("Repeat after `Retry-After` seconds."),
    ),
    "no_receipt": Problem(
        (409,), _("Nothing has been paid, so there is no receipt."), _("Hide the link until the payment has succeeded.")
    ),
    "no_credit_note": Problem(
        (409,),
        _("The refund has not been carried out, so there is no credit note."),
        _("Hide the link until the refund has succeeded."),
    ),
    "already_reviewed": Problem((409,), _("You have reviewed this course."), _("Change that review instead.")),
    "in_use": Problem(
        (409,),
        _("People have paid for this or worked on it, so it is not deleted."),
        _('Archive it instead: `PATCH {"status": "archived"}`.'),
    ),
    "has_students": Problem(
        (409,),
        _("Somebody has paid for this course, so it does not become a draft again."),
        _('Archive it instead: `PATCH {"status": "archived"}`.'),
    ),
    "sign_in_first": Problem(
        (409,),
        _("Somebody has this email, and it is not verified on both sides."),
        _("Sign in as before, then link the provider's account."),
    ),
    "linked_elsewhere": Problem(
        (409,),
        _("The provider's account opens another person's account here."),
        _("Unlink it there first, or link another one."),
    ),
    "last_way_in": Problem(
        (409,), _("Without it, you could not sign in any more."), _("Set a password by letter first.")
    ),
    "no_password": Problem(
        (409,), _("The account has no password yet."), _("Set one by letter: `POST /api/auth/password/reset/`.")
    ),
    "already_submitted": Problem(
        (409,),
        _("Something has been handed in already, or the attempt is over."),
        _("Change what stands, or start a new attempt."),
    ),
    "already_graded": Problem(
        (409,), _("The work has been graded, and stays as it is."), _("Ask the teacher to return it.")
    ),
    "stale_version": Problem((409,), _("A newer version of the work stands."), _("Read that one, then decide again.")),
    "too_many_versions": Problem(
        (409,),
        _("The work has been changed as often as it may be."),
        _("Ask the teacher to grade what stands."),
    ),
    "too_many_items": Problem(
        (409,),
        _("The course has as many assignments and quizzes as an outline holds."),
        _("Put the next ones into another course."),
    ),
    "no_questions": Problem((409,), _("The quiz has no questions yet."), _("Wait until the teacher has written them.")),
    "already_issued": Problem(
        (409,), _("A valid certificate of this course exists."), _("Revoke it first, if a new one is needed.")
    ),
    "no_certificate": Problem(
        (409,), _("The course gives no certificate."), _("Switch certificates on in the course, if it shall give one.")
    ),
    "revoked": Problem(
        (409,), _("The certificate has been revoked, so there is nothing to print."), _("Ask the teacher why.")
    ),
    "conflict": Problem((409,), _("Somebody else has just changed the same thing."), _("Read it anew and repeat.")),
    "body_too_large": Problem((413,), _("The body of the request is too large."), _("Send less at once.")),
    "unsupported_media_type": Problem(
        (415,),
        _("This address does not take bodies of this Content-Type."),
        _("Send JSON, or multipart/form-data where a file goes along."),
    ),
    "idempotency_key_reused": Problem(
        (422,), _("The Idempotency-Key came before with another request."), _("Send a new key with a new request.")
    ),
    "throttled": Problem(
        (429,), _("Too many requests have come from you, or from your network."), _("Wait for `Retry-After` seconds.")
    ),
    "server_error": Problem(
        (500,),
        _("Something broke on our side. It has been logged."),
        _("Try again later. If it happens again, tell us when it was."),
    ),
    "service_unavailable": Problem(
        (503,),
        _("Something that the request needs is away for a moment. Nothing has been decided."),
        _("Repeat after `Retry-After` seconds."),
    ),
    "request_timeout": Problem(
        (408,), _("The body of the request came too slowly."), _("Send it again, over a faster connection.")
    ),
    "webhook_secret_missing": Problem(
        (503,),
        _("The server has no `STRIPE_WEBHOOK_SECRET` yet, so it cannot tell Stripe's events from others."),
        _("Set it (`docs/operations.md`). Stripe sends the event again by itself."),
    ),
    "provider_unavailable": Problem(
        (503,),
        _("The provider of the sign-in does not answer."),
        _("Begin to sign in again after `Retry-After` seconds, or sign in another way."),
    ),
    "payment_provider_unavailable": Problem(
        (503,), _("Stripe does not answer. Nothing has been charged."), _("Repeat after `Retry-After` seconds.")
    ),
}


def document() -> str:
    """`docs/problems.md`."""
    lines = [
        "# Problems",
        "",
        "Every error is a problem document (see [errors](api.md#errors)). Its `type` leads to a page that says what",
        "stands here, in the reader's language. This list is made from `common/problems.py` by `make schema`.",
        "",
        "| status | `code` | what it means | what to do |",
        "|---|---|---|---|",
    ]
    for code, problem in sorted(PROBLEMS.items(), key=lambda item: (item[1].statuses, item[0])):
        statuses = ", ".join(map(str, problem.statuses))
        lines.append(f"| {statuses} | `{code}` | {problem.meaning} | {problem.advice} |")
    return "\n".join(lines) + "\n"
