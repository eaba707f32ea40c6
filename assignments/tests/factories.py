from datetime import timedelta
from decimal import Decimal

import factory
from django.utils import timezone

from assignments.models import (
    Assignment,
    Attempt,
    Certificate,
    Choice,
    Comment,
    Question,
    Quiz,
    Submission,
    SubmissionVersion,
)
from materials.tests.factories import CourseFactory, LessonFactory
from users.tests.factories import UserFactory


class AssignmentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Assignment

    lesson = factory.SubFactory(LessonFactory)
    title = factory.Sequence(lambda n: f"Assignment {n}")


class SubmissionFactory(factory.django.DjangoModelFactory):
    """Handed in; graded with a score if there is one."""

    class Meta:
        model = Submission

    class Params:
        graded = factory.Trait(
            status="graded", raw_score=Decimal(80), score=Decimal(80), graded_at=factory.LazyFunction(timezone.now)
        )

    assignment = factory.SubFactory(AssignmentFactory)
    student = factory.SubFactory(UserFactory)
    text = "My work"


class SubmissionVersionFactory(factory.django.DjangoModelFactory):
    """A version that another has replaced."""

    class Meta:
        model = SubmissionVersion

    submission = factory.SubFactory(SubmissionFactory, version=2)
    text = "My first work"


class CommentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Comment

    author = factory.SubFactory(UserFactory)
    text = "Well said"


class QuizFactory(factory.django.DjangoModelFactory):
    """With one question of each kind, worth 1 + 2 + 1 + 1 points, unless `questions=False`."""

    class Meta:
        model = Quiz
        skip_postgeneration_save = True

    course = factory.SubFactory(CourseFactory)
    title = factory.Sequence(lambda n: f"Quiz {n}")

    @factory.post_generation
    def questions(self, create, extracted, **kwargs):
        if extracted is False:
            return
        single = Question.objects.create(quiz=self, kind="single", text="One?", order=0, explanation="Because")
        multiple = Question.objects.create(quiz=self, kind="multiple", text="Several?", order=1, points=2)
        for question, right in ((single, (0,)), (multiple, (0, 1))):
            for order in range(4):
                Choice.objects.create(question=question, text=f"Choice {order}", order=order, is_correct=order in right)
        Question.objects.create(quiz=self, kind="text", text="Name?", order=2, accepted_answers=["Sirius", "Сириус"])
        Question.objects.create(
            quiz=self, kind="number", text="How many?", order=3, correct_number=Decimal("3.5"), tolerance=Decimal("0.1")
        )


class AttemptFactory(factory.django.DjangoModelFactory):
    """Submitted with full points, unless told otherwise."""

    class Meta:
        model = Attempt

    quiz = factory.SubFactory(QuizFactory)
    student = factory.SubFactory(UserFactory)
    number = 1
    state = "submitted"
    submitted_at = factory.LazyFunction(timezone.now)
    started_at = factory.LazyFunction(lambda: timezone.now() - timedelta(minutes=5))
    points = Decimal(5)
    max_points = Decimal(5)
    score = Decimal(100)
    passed = True


class CertificateFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Certificate

    student = factory.SubFactory(UserFactory)
    course = factory.SubFactory(CourseFactory)
    student_name = "Илья Морозов"
    course_title = factory.SelfAttribute("course.title")
    language = "ru"
    score = Decimal("92.50")


def right_answers(attempt_data):
    """The body that answers everything in an attempt of `QuizFactory` rightly."""
    answers = []
    for asked in attempt_data["questions"]:
        question = Question.objects.get(pk=asked["id"])
        answer = {"question": asked["id"]}
        if question.kind in {"single", "multiple"}:
            answer["choices"] = [str(c.pk) for c in question.choices.all() if c.is_correct]
        elif question.kind == "text":
            answer["text"] = " sirius "
        else:
            answer["number"] = 3.55
        answers.append(answer)
    return {"answers": answers}
