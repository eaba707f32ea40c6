import factory
from django.utils import timezone

from materials.tests.factories import CourseFactory
from payments.models import Coupon, Dispute, Payment, Refund
from users.tests.factories import UserFactory


class PaymentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Payment

    user = factory.SubFactory(UserFactory)
    paid_course = factory.SubFactory(CourseFactory, price="1000.00")
    title = "Course"
    amount = "1000.00"
    currency = "RUB"
    status = Payment.Status.SUCCEEDED


class CouponFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Coupon

    code = factory.Sequence(lambda n: f"COUPON{n}")
    percent = "10.00"

    @classmethod
    def fixed(cls, amount, currency="RUB", **fields):
        return cls(percent=None, amount=amount, currency=currency, **fields)

    @classmethod
    def limited_to(cls, *courses, **fields):
        coupon = cls(is_limited=True, **fields)
        coupon.courses.set(courses)
        return coupon


class RefundFactory(factory.django.DjangoModelFactory):
    """One that counts. The payment's own figures stay as they are."""

    class Meta:
        model = Refund

    payment = factory.SubFactory(PaymentFactory)
    amount = "100.00"
    status = Refund.Status.SUCCEEDED
    accepted_at = factory.LazyFunction(timezone.now)
    credit_note_number = factory.Sequence(lambda n: f"C-T{n}")


class DisputeFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Dispute

    payment = factory.SubFactory(PaymentFactory, status=Payment.Status.DISPUTED)
    stripe_dispute_id = factory.Sequence(lambda n: f"dp_{n}")
    amount = "1000.00"
