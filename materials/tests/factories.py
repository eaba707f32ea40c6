import factory

from materials.models import (
    Attachment,
    Category,
    Course,
    Enrollment,
    Lesson,
    LessonAccess,
    LessonCompletion,
    Review,
    Subscription,
)
from users.tests.factories import TeacherFactory, UserFactory


class CategoryFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Category

    slug = factory.Sequence(lambda n: f"category-{n}")
    title = factory.Sequence(lambda n: f"Category {n}")


class CourseFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Course

    owner = factory.SubFactory(TeacherFactory)
    title = factory.Sequence(lambda n: f"Course {n}")
    price = "0.00"


class LessonFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Lesson

    course = factory.SubFactory(CourseFactory)
    owner = factory.SelfAttribute("course.owner")
    title = factory.Sequence(lambda n: f"Lesson {n}")
    body = "The secret body"
    video_url = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
    order = factory.Sequence(lambda n: n + 1)


class AttachmentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Attachment

    lesson = factory.SubFactory(LessonFactory)
    title = "Slides"
    url = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


class EnrollmentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Enrollment

    user = factory.SubFactory(UserFactory)
    course = factory.SubFactory(CourseFactory)
    source = Enrollment.Source.FREE


class LessonAccessFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = LessonAccess

    user = factory.SubFactory(UserFactory)
    lesson = factory.SubFactory(LessonFactory)
    source = Enrollment.Source.PAYMENT


class LessonCompletionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = LessonCompletion


class ReviewFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Review

    course = factory.SubFactory(CourseFactory)
    author = factory.SubFactory(UserFactory)
    rating = 5


class SubscriptionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Subscription

    user = factory.SubFactory(UserFactory)
    course = factory.SubFactory(CourseFactory)
