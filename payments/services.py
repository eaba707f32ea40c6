"""Buying: opening a payment, and settling it by what Stripe says. `settle` is the one way in which access opens."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from common.errors import RuleBroken
from materials.models import Course, Enrollment, Lesson
from materials.services import grant_access, grant_lesson_access
from payments import gateway
from payments.gateway import Session
from payments.models import Payment, WebhookEvent, item_field
from users.models import Notification, User
from users.services import notify

logger = logging.getLogger(__name__)

# A payment that never got a session, because Stripe was away and its buyer gave up, is closed after this.
ABANDONED_AFTER = timedelta(days=1)


def open_payment(*, user: User, item: Course | Lesson, method: str) -> tuple[Payment, bool]:
    """The user's open payment for the item, with its page at Stripe if paid by card; the flag says whether it is new.

    Raises RuleBroken for one's own, free, unpublished or already owned items and for a charge that Stripe refuses, and
    StripeUnavailable, in which case the payment stays and the same call goes on with it.
    """
    check_may_buy(user, item)
    standing = Payment.objects.open_for(user, item).first()
    if standing is not None and standing.stripe_session_id:
        standing = refresh(standing)
        check_may_buy(user, item)  # its money may have come in while nobody told us
    if standing is not None and standing.status == Payment.Status.PENDING and standing.payment_method != method:
        _cancel(standing)
        check_may_buy(user, item)
    payment, created = _get_or_create_pending(user, item, method)
    if payment.payment_method != method:
        raise _overtaken()
    if method == Payment.Method.CARD and not payment.stripe_session_id:
        _open_session(payment)
    return payment, created


def check_may_buy(user: User, item: Course | Lesson) -> None:
    """Raises RuleBroken, with its code, for what the user cannot or need not buy."""
    course = item if isinstance(item, Course) else item.course
    if course.owner_id == user.pk:
        raise RuleBroken("own_course", _("This is your own course: all of it is open to you."))
    if item.price == 0:
        text = _("This is free: enroll instead.") if isinstance(item, Course) else _("This lesson is not sold alone.")
        raise RuleBroken("free", text, status_code=400)
    if course.status != Course.Status.PUBLISHED:
        raise RuleBroken("not_published", _("The course is not published."))
    enrollment = Enrollment.objects.filter(user=user, course=course).first()
    owned = enrollment is not None and enrollment.is_open
    if isinstance(item, Lesson):
        owned = owned or item.accesses.filter(user=user).exists()
    if owned:
        raise RuleBroken("already_owned", _("You own this already."))


def _get_or_create_pending(user: User, item: Course | Lesson, method: str) -> tuple[Payment, bool]:
    """A database constraint allows one open payment per person and item; of two requests at once, one creates it."""
    existing = Payment.objects.open_for(user, item).first()
    if existing is not None:
        return existing, False
    course = item if isinstance(item, Course) else item.course
    try:
        with transaction.atomic():
            payment = Payment.objects.create(
                user=user,
                title=item.title,
                amount=item.price,
                currency=course.currency,
                payment_method=method,
                **item_field(item),
            )
            # The one before may have succeeded since the last look. It makes way for this one by the same commit that
            # opens access, so now that is seen.
            check_may_buy(user, item)
            return payment, True
    except IntegrityError:
        winner = Payment.objects.open_for(user, item).first()
        if winner is None:
            raise
        return winner, False


def _open_session(payment: Payment) -> None:
    """Makes the payment's session at Stripe, or finds the one that was made before a crash, and notes it."""
    waiting = Payment.objects.filter(pk=payment.pk, status=Payment.Status.PENDING, stripe_session_id="")
    try:
        product_id, price_id, session = gateway.create_session(payment)
    except gateway.ChargeRefused:
        # Asking again with the same keys is of no use: the next attempt is a payment of its own.
        waiting.update(status=Payment.Status.FAILED, updated_at=timezone.now())
        raise
    waiting.update(
        stripe_product_id=product_id,
        stripe_price_id=price_id,
        stripe_session_id=session.id,
        payment_url=session.url,
        updated_at=timezone.now(),
    )
    payment.refresh_from_db()
    if payment.status != Payment.Status.PENDING or payment.stripe_session_id != session.id:
        # Closed by another request while the session was being made: nobody may pay it.
        gateway.expire_session(session.id)
        raise _overtaken()


def _cancel(payment: Payment) -> None:
    """Closes a pending payment, at Stripe first: one way of paying at a time."""
    if payment.stripe_session_id:
        session = gateway.expire_session(payment.stripe_session_id)
        if session is not None and session.status == "complete":
            if settle(payment.pk, session).status == Payment.Status.PENDING:
                raise RuleBroken("payment_processing", _("Your payment is on its way: wait for its outcome."))
            return
    # The session's own event may have come first and made it expired.
    closed = Payment.objects.filter(
        pk=payment.pk,
        status__in=[Payment.Status.PENDING, Payment.Status.EXPIRED],
        stripe_session_id=payment.stripe_session_id,
    ).update(status=Payment.Status.CANCELED, updated_at=timezone.now())
    if not closed:
        raise _overtaken()


def _overtaken() -> RuleBroken:
    return RuleBroken("conflict", _("Somebody else has just changed the same thing. Try again."))


def refresh(payment: Payment) -> Payment:
    """Asks Stripe for the payment's session and brings the payment up to date."""
    if not payment.stripe_session_id:
        return payment
    session = gateway.retrieve_session(payment.stripe_session_id)
    if session is not None:
        return settle(payment.pk, session)
    # Stripe knows no such session: nobody can pay it, so it must not stand in the way of a new one.
    Payment.objects.filter(pk=payment.pk, status=Payment.Status.PENDING).update(
        status=Payment.Status.EXPIRED, updated_at=timezone.now()
    )
    payment.refresh_from_db()
    return payment


def settle(payment_id: UUID, session: Session) -> Payment:
    """Brings the payment to where its session is, and opens access in the same transaction. Exactly once, however often
    and from wherever it is called. A status only moves forward: nothing that comes late undoes a success."""
    with transaction.atomic():
        payment = Payment.objects.select_for_update(of=("self",)).select_related("user").get(pk=payment_id)
        if session.is_paid and payment.is_unpaid:
            _succeed(payment, session)
        elif payment.status == Payment.Status.PENDING and (session.has_failed or session.status == "expired"):
            payment.status = Payment.Status.FAILED if session.has_failed else Payment.Status.EXPIRED
            payment.save(update_fields=["status", "updated_at"])
    return payment


def _succeed(payment: Payment, session: Session) -> None:
    if (session.amount, session.currency) != (payment.amount, payment.currency):
        # Money has moved, but not what was asked for: a person has to look at it.
        logger.error(
            "Payment %s asked for %s %s, session %s took %s %s",
            payment.pk, payment.amount, payment.currency, session.id, session.amount, session.currency,
        )  # fmt: skip
        return
    payment.status = Payment.Status.SUCCEEDED
    payment.payment_date = timezone.now()
    payment.stripe_payment_intent_id = session.payment_intent
    payment.save(update_fields=["status", "payment_date", "stripe_payment_intent_id", "updated_at"])
    if payment.paid_course is not None:
        grant_access(user=payment.user, course=payment.paid_course, source=Enrollment.Source.PAYMENT)
        path = f"/courses/{payment.paid_course_id}"
    elif payment.paid_lesson is not None:
        grant_lesson_access(user=payment.user, lesson=payment.paid_lesson, source=Enrollment.Source.PAYMENT)
        path = f"/lessons/{payment.paid_lesson_id}"
    with translation.override(payment.user.language):
        notify(
            [
                Notification(
                    recipient=payment.user,
                    kind=Notification.Kind.PAYMENT_SUCCEEDED,
                    subject=_("Payment received: “%(title)s”") % {"title": payment.title},
                    message=_("We have received %(amount)s %(currency)s for “%(title)s”. It is open to you now.")
                    % {"amount": payment.amount, "currency": payment.currency, "title": payment.title},
                    url=f"{settings.FRONTEND_URL}{path}",
                    dedup_key=f"payment_succeeded:{payment.pk}",
                )
            ]
        )


def settle_session(session_id: str) -> Payment | None:
    """The payment of a session, up to date with Stripe; None if the session is not one of ours."""
    session = gateway.retrieve_session(session_id)
    if session is None:
        return None
    payment = Payment.objects.filter(stripe_session_id=session_id).first()
    if payment is None:
        # Paid so fast, or we died so soon, that the session's id was not noted yet: the session names its payment.
        try:
            unnoted = Payment.objects.filter(pk=UUID(session.client_reference_id), stripe_session_id="")
        except ValueError:
            return None  # a session that something else made with our account
        unnoted.update(stripe_session_id=session.id, payment_url=session.url, updated_at=timezone.now())
        payment = Payment.objects.filter(stripe_session_id=session_id).first()
    return settle(payment.pk, session) if payment is not None else None


def reconcile(*, before_minutes: int) -> int:
    """Asks Stripe about card payments that have been pending for long; says how many moved on."""
    now = timezone.now()
    moved = 0
    # Read at once: a cursor that stays open would keep SQLite from writing.
    for payment in list(Payment.objects.to_reconcile(now - timedelta(minutes=before_minutes))):
        try:
            moved += _reconcile_one(payment, now)
        except gateway.StripeUnavailable:
            break  # the next run goes on
        except Exception:
            logger.exception("Payment %s could not be reconciled", payment.pk)  # the others do not wait for it
    return moved


def _reconcile_one(payment: Payment, now: datetime) -> bool:
    if payment.stripe_session_id:
        return refresh(payment).status != Payment.Status.PENDING
    if payment.created_at > now - ABANDONED_AFTER:
        return False
    abandoned = Payment.objects.filter(pk=payment.pk, status=Payment.Status.PENDING, stripe_session_id="")
    return bool(abandoned.update(status=Payment.Status.EXPIRED, updated_at=now))


# --- Webhooks --------------------------------------------------------------------------------------------------------

SESSION_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    }
)


def process_event(event: WebhookEvent) -> None:
    """Does what the event calls for; of its payload only the session's id is believed. Safe to run twice and at once.

    Raises StripeUnavailable if the session cannot be read now.
    """
    if event.processed_at is not None:
        return
    if event.type in SESSION_EVENTS:
        settle_session(event.payload["data"]["object"]["id"])
    WebhookEvent.objects.filter(pk=event.pk, processed_at__isnull=True).update(
        processed_at=timezone.now(), error="", attempts=event.attempts + 1
    )


def try_event(event: WebhookEvent) -> bool:
    """`process_event`; a failure is noted on the row, to be seen in the admin and tried again."""
    try:
        process_event(event)
    except Exception as error:
        _note_failure(event, error)
        return False
    return True


def process_failed_events() -> int:
    """Tries the events again that failed or were cut off; says how many came through."""
    done = 0
    for event in list(WebhookEvent.objects.failed()):
        try:
            process_event(event)
            done += 1
        except gateway.StripeUnavailable as error:
            _note_failure(event, error)
            break  # each of the others would wait for the same time-out
        except Exception as error:
            _note_failure(event, error)
    return done


def _note_failure(event: WebhookEvent, error: Exception) -> None:
    logger.error("Event %s failed", event.stripe_event_id, exc_info=error)
    # That Stripe is away is no fault of the event: it does not use up its attempts.
    attempts = event.attempts + (not isinstance(error, gateway.StripeUnavailable))
    WebhookEvent.objects.filter(pk=event.pk).update(error=repr(error)[:2000], attempts=attempts)
