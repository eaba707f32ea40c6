"""Buying: opening a payment for a course or a lesson, and confirming money that does not come through Stripe."""

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from common.errors import RuleBroken
from materials.models import Course, Enrollment, Lesson
from payments import gateway
from payments.models import Coupon, Dispute, Payment, item_field
from payments.services import catalog, coupons, reasons, settling
from payments.services.closing import close_payment, overtaken
from users.models import User


def open_payment(
    *, user: User, item: Course | Lesson, method: str, coupon: Coupon | None = None
) -> tuple[Payment, bool]:
    """The user's open payment for the item, with its page at Stripe if paid by card; the flag says whether it is new.
    If the coupon leaves nothing to pay, it has succeeded, and what it is for is open.

    Raises RuleBroken for one's own, free, unpublished or already owned items and for a charge that Stripe refuses,
    ValidationError for a coupon that may not be used, and StripeUnavailable, in which case the payment stays and the
    same call goes on with it.
    """
    check_may_buy(user, item)
    standing = Payment.objects.open_for(user, item).first()
    if standing is not None and standing.stripe_session_id:
        standing = settling.refresh(standing)
        check_may_buy(user, item)  # its money may have come in while nobody told us
    if standing is not None and standing.status == Payment.Status.PENDING and not _goes_on(standing, method, coupon):
        # A coupon that may not be used closes nothing.
        coupons.make_quote(user=user, item=item, coupon=coupon, instead_of=standing)
        close_payment(standing)
        check_may_buy(user, item)
    payment, created = _get_or_create_pending(user, item, method, coupon)
    if not _is_for(payment, method, coupon):
        raise overtaken()
    if payment.status == Payment.Status.PENDING and method == Payment.Method.CARD and not payment.stripe_session_id:
        _open_session(payment)
    return payment, created


def preview_payment(*, user: User, item: Course | Lesson, method: str, coupon: Coupon | None) -> coupons.Quote:
    """What `open_payment` would ask for, as far as is known without asking Stripe; raises what it would raise."""
    check_may_buy(user, item)
    standing = Payment.objects.open_for(user, item).first()
    if standing is not None and _is_for(standing, method, coupon):
        price = standing.amount + standing.discount
        return coupons.Quote(price, standing.discount, standing.amount, standing.currency)
    return coupons.make_quote(user=user, item=item, coupon=coupon, instead_of=standing)


def _is_for(payment: Payment, method: str, coupon: Coupon | None) -> bool:
    """Whether it is paid in this way and at this discount: of one with another the place is taken."""
    return (payment.payment_method, payment.coupon_id) == (method, coupon.pk if coupon else None)


def _goes_on(payment: Payment, method: str, coupon: Coupon | None) -> bool:
    """Whether somebody who asks again is given this one. Neither one whose hold or reason has ended, nor one of which
    Stripe's answer was lost so long ago that its session, if there is one, may end at any moment."""
    if not _is_for(payment, method, coupon) or payment.is_past_hold or reasons.why_ended(payment):
        return False
    has_page = payment.stripe_session_id or payment.payment_method != Payment.Method.CARD
    return bool(has_page) or payment.created_at > timezone.now() - gateway.ASK_AGAIN_WITHIN


def check_may_buy(user: User, item: Course | Lesson) -> None:
    """Raises RuleBroken, with its code, for what the user cannot or need not buy."""
    course = item if isinstance(item, Course) else item.course
    if course.owner_id == user.pk:
        raise RuleBroken("own_course", _("This is your own course: all of it is open to you."))
    if item.price == 0 or (isinstance(item, Lesson) and (item.is_preview or course.price == 0)):
        text = _("This is free: enroll instead.") if isinstance(item, Course) else _("This lesson is not sold alone.")
        raise RuleBroken("free", text, status_code=400)
    if course.status != Course.Status.PUBLISHED:
        raise RuleBroken("not_published", _("The course is not published."))
    enrollment = Enrollment.objects.filter(user=user, course=course).first()
    owned = enrollment is not None and enrollment.is_open
    if isinstance(item, Lesson):
        owned = owned or item.accesses.filter(user=user).exists()
    # Paid for and closed by an admin: paying again would not open it, either.
    if owned or Payment.objects.for_item(user, item).that_open_now().exists():
        raise RuleBroken("already_owned", _("You own this already."))
    if Dispute.objects.filter(payment__in=Payment.objects.for_item(user, item), status=Dispute.Status.OPEN).exists():
        raise RuleBroken("payment_disputed", _("Your bank disputes your payment for this: wait for its decision."))


def _get_or_create_pending(
    user: User, item: Course | Lesson, method: str, coupon: Coupon | None
) -> tuple[Payment, bool]:
    """A database constraint allows one open payment per person and item; of two requests at once, one creates it. With
    nothing left to pay it is settled in the same transaction."""
    try:
        with transaction.atomic():
            if coupon is not None:
                coupon = coupons.hold_coupon(coupon)
                check_may_buy(user, item)  # another tab may have held it until now
            existing = Payment.objects.open_for(user, item).first()
            if existing is not None:
                return existing, False
            quote = coupons.make_quote(user=user, item=item, coupon=coupon)
            payment = Payment.objects.create(
                user=user,
                title=item.title,
                amount=quote.amount,
                discount=quote.discount,
                currency=quote.currency,
                coupon=coupon,
                payment_method=method,
                **item_field(item),
            )
            # The one before may have succeeded since the last look. It makes way for this one by the same commit that
            # opens access, so now that is seen.
            check_may_buy(user, item)
            return (_give(payment) if payment.amount == 0 else payment), True
    except IntegrityError:
        winner = Payment.objects.open_for(user, item).first()
        if winner is None:
            raise
        return winner, False


def _give(payment: Payment) -> Payment:
    """The coupon has paid for all of it. Within the transaction that has created it: nobody finds it pending."""
    with settling.locked(payment.pk) as (payment, siblings):
        if any(other.opens_now for other in siblings):
            raise RuleBroken("already_owned", _("You own this already."))
        settling.mark_paid(payment, siblings)
    return payment


def _open_session(payment: Payment) -> None:
    """Makes the payment's session at Stripe, or finds the one that was made before a crash, and notes it."""
    waiting = Payment.objects.filter(pk=payment.pk, status=Payment.Status.PENDING, stripe_session_id="")
    try:
        product_id, price_id, session = catalog.open_session(payment)
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
    try:
        payment.refresh_from_db()
    except Payment.DoesNotExist:
        payment.status = Payment.Status.CANCELED  # what it was for has been deleted
    if payment.status != Payment.Status.PENDING or payment.stripe_session_id != session.id:
        # Closed by another request while the session was being made: nobody may pay it.
        gateway.expire_session(session.id)
        raise overtaken()


def confirm_payment(*, payment: Payment, reference: str, admin: User) -> Payment:
    """Cash or a transfer has arrived, if only after its buyer chose another way: an admin says so, and by what. Raises
    RuleBroken for what awaits no money."""
    with settling.locked(payment.pk) as (payment, siblings):
        if payment.payment_method == Payment.Method.CARD:
            raise RuleBroken("paid_by_card", _("Stripe says when a card has paid."))
        if not payment.is_unpaid or payment.status == Payment.Status.FAILED:
            raise RuleBroken("not_pending", _("This payment does not await money."))
        if ended := reasons.why_ended(payment):
            owned = ended == Payment.Ended.ALREADY_OWNED
            raise RuleBroken("already_owned" if owned else "nothing_to_pay_for", reasons.TEXTS[ended])
        payment.reference, payment.confirmed_by = reference, admin
        settling.mark_paid(payment, siblings)
    return payment
