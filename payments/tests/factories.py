import factory

from materials.tests.factories import CourseFactory
from payments.models import Coupon, Payment
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
