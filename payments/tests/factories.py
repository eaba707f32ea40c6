import factory

from materials.tests.factories import CourseFactory
from payments.models import Payment
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
