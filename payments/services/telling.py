"""Telling buyers and admins, each in their language. Every text is written once, by its `dedup_key`."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from common import frontend
from common.money import format_money
from payments.gateway import Session
from payments.models import Dispute, Payment, Refund, RefundRequest
from users.models import Notification, User
from users.services import DELETED, notify

Text = Callable[[], tuple[str, str]]


def tell_buyer_of_success(payment: Payment) -> None:
    def text() -> tuple[str, str]:
        if payment.amount == 0:
            return _("Yours: “%(title)s”"), _("Your coupon has paid for all of “%(title)s”. It is open to you now.")
        return (
            _("Payment received: “%(title)s”"),
            _("We have received %(amount)s for “%(title)s”. It is open to you now."),
        )

    _tell_buyer(payment, Notification.Kind.PAYMENT_SUCCEEDED, text, f"payment_succeeded:{payment.pk}")


def tell_buyer_of_refund(refund: Refund) -> None:
    def text() -> tuple[str, str]:
        return _("Refund: “%(title)s”"), _why_refunded(refund)

    kind = Notification.Kind.PAYMENT_REFUNDED
    _tell_buyer(refund.payment, kind, text, f"payment_refunded:{refund.pk}", amount=refund.amount)


def _why_refunded(refund: Refund) -> str:
    ended = Payment.Ended
    if refund.reason == Refund.Reason.DUPLICATE:
        return _("You had paid for “%(title)s” twice: we are giving %(amount)s back.")
    match refund.payment.returned_because:
        case "":
            return _("We are giving %(amount)s back for “%(title)s”.")
        case ended.ALREADY_OWNED | ended.OWN_COURSE:
            return _("“%(title)s” was open to you already when your payment came in: we are giving %(amount)s back.")
        case ended.FREE:
            return _("“%(title)s” is not sold any more: we are giving %(amount)s back.")
        case ended.BUYER_GONE:
            return _(
                "Your account was not active when your payment for “%(title)s” came in: we are giving %(amount)s back."
            )
        case ended.LEFT:
            return _("You had left “%(title)s” when your payment came in: we are giving %(amount)s back.")
    return _("“%(title)s” was not for sale any more when your payment came in: we are giving %(amount)s back.")


def tell_buyer_of_failed_refund(refund: Refund) -> None:
    def text() -> tuple[str, str]:
        return (
            _("Your refund did not go through: “%(title)s”"),
            _("Your bank sent %(amount)s back to us. We will find another way and write to you."),
        )

    kind = Notification.Kind.PAYMENT_REFUNDED
    _tell_buyer(refund.payment, kind, text, f"refund_failed_for_buyer:{refund.pk}", amount=refund.amount)


def tell_of_dispute(dispute: Dispute) -> None:
    """Buyer and admins, as it is opened and as it is closed."""
    texts = {
        Dispute.Status.OPEN: lambda: (
            _("A dispute: “%(title)s”"),
            _("The buyer's bank disputes %(amount)s. Until it is decided, access is suspended."),
        ),
        Dispute.Status.WON: lambda: (
            _("A dispute is over: “%(title)s”"),
            _("The payment of %(amount)s stands, and so does access."),
        ),
        Dispute.Status.LOST: lambda: (
            _("A dispute is over: “%(title)s”"),
            _("The bank has given %(amount)s back to the buyer. Access is closed."),
        ),
    }
    to_buyer = texts | {
        Dispute.Status.OPEN: lambda: (
            _("A dispute: “%(title)s”"),
            _("Your bank disputes %(amount)s. Until it is decided, access is suspended."),
        ),
        Dispute.Status.LOST: lambda: (
            _("A dispute is over: “%(title)s”"),
            _("Your bank has given %(amount)s back to you. Access is closed."),
        ),
    }
    key, status = f"dispute:{dispute.pk}:{dispute.status}", Dispute.Status(dispute.status)
    kind = Notification.Kind.ANNOUNCEMENT
    _tell_admins(dispute.payment, texts[status], key, amount=dispute.amount)
    _tell_buyer(dispute.payment, kind, to_buyer[status], f"{key}:buyer", amount=dispute.amount)


def tell_buyer_of_decline(payment: Payment, request: RefundRequest) -> None:
    def text() -> tuple[str, str]:
        return (
            _("Your request for a refund: “%(title)s”"),
            _("We have looked at it, and the payment for “%(title)s” stays as it is.\n\n%(answer)s"),
        )

    kind = Notification.Kind.ANNOUNCEMENT
    _tell_buyer(payment, kind, text, f"refund_declined:{request.pk}", answer=request.answer)


def tell_buyer_that_it_waits(payment: Payment) -> None:
    def text() -> tuple[str, str]:
        return (
            _("Your payment has not arrived: “%(title)s”"),
            _("“%(title)s” opens as soon as %(amount)s has reached us and an admin has confirmed it."),
        )

    _tell_buyer(payment, Notification.Kind.ANNOUNCEMENT, text, f"payment_waits:{payment.pk}")


def tell_admins_that_it_waits(payment: Payment) -> None:
    def text() -> tuple[str, str]:
        return _("Has it been paid? “%(title)s”"), _("%(amount)s has been awaited for two days.")

    _tell_admins(payment, text, f"payment_waits_for_admin:{payment.pk}")


def tell_admins_of_request(payment: Payment, request_id: object) -> None:
    def text() -> tuple[str, str]:
        return _("A refund is asked for: “%(title)s”"), _("Somebody wants %(amount)s back. Please decide.")

    left = payment.amount - payment.refunded_amount
    # The list, where it can be decided.
    page = f"refundrequest/?payment__id__exact={payment.pk}"
    _tell_admins(payment, text, f"refund_requested:{request_id}", page, amount=left)


def tell_admins_of_return(payment: Payment, *, is_duplicate: bool) -> None:
    def text() -> tuple[str, str]:
        if is_duplicate:
            return (
                _("Paid twice: “%(title)s”"),
                _("The second payment, %(amount)s, goes back by itself."),
            )
        return (
            _("Paid for nothing: “%(title)s”"),
            _("There was nothing left to pay for. The payment, %(amount)s, goes back by itself."),
        )

    _tell_admins(payment, text, f"payment_duplicate:{payment.pk}")


def tell_admins_of_failed_refund(refund: Refund) -> None:
    def text() -> tuple[str, str]:
        return (
            _("A refund has failed: “%(title)s”"),
            _("%(amount)s could not be given back: it has to be done in another way."),
        )

    _tell_admins(refund.payment, text, f"refund_failed:{refund.pk}", amount=refund.amount)


def tell_admins_of_mismatch(payment: Payment, session: Session) -> None:
    def text() -> tuple[str, str]:
        return (
            _("A payment to look at: “%(title)s”"),
            _("%(amount)s was asked for, and %(taken)s was taken. Nothing was opened."),
        )

    _tell_admins(payment, text, f"payment_mismatch:{payment.pk}", taken=format_money(session.amount, session.currency))


def _tell_buyer(payment: Payment, kind: str, text: Text, dedup_key: str, **values: Any) -> None:
    if payment.user.deactivation_reason == DELETED:
        return  # nobody is there to read it
    notify([_notification(payment.user, payment, kind, text, dedup_key, page_of(payment), values)])


def page_of(payment: Payment) -> str:
    """Where what was bought is found; once it has been deleted, the front page."""
    if payment.paid_lesson is not None:
        return frontend.lesson(payment.paid_lesson.course_id, payment.paid_lesson_id)
    return frontend.course(payment.paid_course_id) if payment.paid_course_id else frontend.home()


def _tell_admins(payment: Payment, text: Text, dedup_key: str, page: str = "", **values: Any) -> None:
    kind = Notification.Kind.ANNOUNCEMENT
    url = f"{settings.BASE_URL}/admin/payments/{page or f'payment/{payment.pk}/change/'}"
    admins = User.objects.filter(role=User.Role.ADMIN, is_active=True)
    notify([_notification(admin, payment, kind, text, dedup_key, url, values) for admin in admins])


def _notification(
    recipient: User, payment: Payment, kind: str, text: Text, dedup_key: str, url: str, values: dict[str, Any]
) -> Notification:
    with translation.override(recipient.language):
        subject, message = text()
        amount = format_money(values.pop("amount", payment.amount), payment.currency)
    words = {"title": payment.title, "amount": amount, **values}
    return Notification(
        recipient=recipient,
        kind=kind,
        subject=(subject % words)[:255],
        message=message % words,
        url=url,
        dedup_key=dedup_key,
    )
