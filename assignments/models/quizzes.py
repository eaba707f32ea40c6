"""Quizzes, and what people answer. Which answer is right never leaves the server before the attempt is over."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.models import EditableRow, Row
from materials.models import Course, Lesson
from users.models import User

ZERO = Decimal(0)


class Quiz(EditableRow):
    """Questions about a course, or about one of its lessons. `null` limits mean none; scores are percent."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="quizzes", verbose_name=_("course"))
    lesson = models.ForeignKey(
        Lesson, models.CASCADE, null=True, blank=True, related_name="quizzes", verbose_name=_("lesson")
    )
    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), max_length=10_000, blank=True)
    is_final = models.BooleanField(_("final quiz of the course"), default=False)
    passing_score = models.DecimalField(
        _("percent to pass"), max_digits=5, decimal_places=2, default=Decimal(60),
        validators=[MinValueValidator(ZERO), MaxValueValidator(Decimal(100))],
    )  # fmt: skip
    allowed_attempts = models.PositiveIntegerField(
        _("allowed attempts"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    time_limit_minutes = models.PositiveIntegerField(
        _("time limit, minutes"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(10_080)]
    )
    shuffle = models.BooleanField(_("questions and choices in a new order each time"), default=False)
    show_correct_answers = models.BooleanField(_("right answers are shown afterwards"), default=False)

    class Meta:
        verbose_name = _("quiz")
        verbose_name_plural = _("quizzes")
        ordering = ("created_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["course"], condition=Q(is_final=True), name="assignments_quiz_one_final"),
            models.CheckConstraint(
                condition=Q(passing_score__gte=0, passing_score__lte=100), name="assignments_quiz_passing_percent"
            ),
        ]
        indexes = [models.Index(fields=["course", "created_at", "id"])]

    def __str__(self) -> str:
        return self.title


class QuestionQuerySet(models.QuerySet["Question"]):
    def current(self) -> "QuestionQuerySet":
        """Those that a new attempt asks."""
        return self.filter(replaced_at__isnull=True)


class Question(Row):
    """A question with its key. One that somebody has been asked is never changed: it is replaced by a new one, so that
    an attempt goes on meaning what it meant."""

    class Kind(models.TextChoices):
        SINGLE = "single", _("One choice")
        MULTIPLE = "multiple", _("Several choices")
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")

    quiz = models.ForeignKey(Quiz, models.CASCADE, related_name="questions", verbose_name=_("quiz"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    text = models.TextField(_("text"), max_length=5000)
    points = models.DecimalField(
        _("points"), max_digits=6, decimal_places=2, default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(Decimal(1000))],
    )  # fmt: skip
    order = models.PositiveIntegerField(_("order"), default=0)
    explanation = models.TextField(_("explanation"), max_length=5000, blank=True)
    accepted_answers = models.JSONField(_("accepted answers"), default=list, blank=True)
    exact = models.BooleanField(_("ё is not е"), default=False)
    # Fifteen digits are what SQLite keeps of a number.
    correct_number = models.DecimalField(_("right number"), max_digits=15, decimal_places=6, null=True, blank=True)
    tolerance = models.DecimalField(
        _("tolerance"), max_digits=15, decimal_places=6, default=ZERO, validators=[MinValueValidator(ZERO)]
    )
    replaced_at = models.DateTimeField(_("replaced at"), null=True, blank=True, editable=False)

    # What an attempt adds: its choices in the attempt's order.
    layout_choices: list["Choice"]

    objects = QuestionQuerySet.as_manager()

    class Meta:
        verbose_name = _("question")
        verbose_name_plural = _("questions")
        ordering = ("order", "id")
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="assignments_question_points_positive"),
        ]
        indexes = [models.Index(fields=["quiz", "order", "id"])]

    def __str__(self) -> str:
        return self.text[:80]


class Choice(Row):
    question = models.ForeignKey(Question, models.CASCADE, related_name="choices", verbose_name=_("question"))
    text = models.CharField(_("text"), max_length=1000)
    is_correct = models.BooleanField(_("right"), default=False)
    order = models.PositiveIntegerField(_("order"), default=0)

    class Meta:
        verbose_name = _("choice")
        verbose_name_plural = _("choices")
        ordering = ("order", "id")
        indexes = [models.Index(fields=["question", "order", "id"])]

    def __str__(self) -> str:
        return self.text[:80]


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def submitted(self) -> "AttemptQuerySet":
        return self.filter(state=Attempt.State.SUBMITTED)

    def overdue(self) -> "AttemptQuerySet":
        """Those whose time is up and that nobody has closed."""
        return self.filter(state=Attempt.State.IN_PROGRESS, expires_at__lte=timezone.now())


class Attempt(EditableRow):
    """One go at a quiz. The server keeps its time, its questions and their order; the client only shows them."""

    class State(models.TextChoices):
        IN_PROGRESS = "in_progress", _("In progress")
        SUBMITTED = "submitted", _("Submitted")

    quiz = models.ForeignKey(Quiz, models.PROTECT, related_name="attempts", verbose_name=_("quiz"))
    student = models.ForeignKey(User, models.PROTECT, related_name="attempts", verbose_name=_("student"))
    number = models.PositiveIntegerField(_("number"))
    # [{"question": id, "choices": [ids]}], as this attempt shows them.
    layout = models.JSONField(_("questions and choices, in order"), default=list, editable=False)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    expires_at = models.DateTimeField(_("time is up at"), null=True, blank=True)
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.IN_PROGRESS)
    points = models.DecimalField(_("points"), max_digits=9, decimal_places=2, null=True, blank=True)
    max_points = models.DecimalField(_("highest points"), max_digits=9, decimal_places=2, default=ZERO)
    score = models.DecimalField(_("score, percent"), max_digits=5, decimal_places=2, null=True, blank=True)
    passed = models.BooleanField(_("passed"), null=True, blank=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("-started_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["quiz", "student", "number"], name="assignments_attempt_number_once"),
            models.UniqueConstraint(
                fields=["quiz", "student"], condition=Q(state="in_progress"), name="assignments_attempt_one_open"
            ),
            models.CheckConstraint(
                condition=Q(state="in_progress", submitted_at__isnull=True)
                | Q(state="submitted", submitted_at__isnull=False, score__isnull=False, passed__isnull=False),
                name="assignments_attempt_submitted_has_score",
            ),
        ]
        indexes = [
            models.Index(fields=["quiz", "-started_at", "-id"]),
            models.Index(fields=["student", "quiz"]),
            models.Index(fields=["expires_at"], condition=Q(state="in_progress"), name="assignments_attempt_to_close"),
        ]

    def __str__(self) -> str:
        return f"{self.student_id}: {self.quiz_id} no. {self.number}"

    @property
    def is_open(self) -> bool:
        """Whether answers are still taken."""
        return self.state == self.State.IN_PROGRESS and not self.is_overdue

    @property
    def is_overdue(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class Answer(EditableRow):
    """What was answered to one question. `is_correct` and `points` are null until the attempt is submitted."""

    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="answers", verbose_name=_("attempt"))
    question = models.ForeignKey(Question, models.PROTECT, related_name="answers", verbose_name=_("question"))
    chosen = models.JSONField(_("chosen"), default=list, blank=True)  # ids of choices
    text = models.TextField(_("text"), max_length=10_000, blank=True)
    number = models.DecimalField(_("number"), max_digits=15, decimal_places=6, null=True, blank=True)
    is_correct = models.BooleanField(_("right"), null=True, blank=True)
    points = models.DecimalField(_("points"), max_digits=6, decimal_places=2, null=True, blank=True)

    class Meta:
        verbose_name = _("answer")
        verbose_name_plural = _("answers")
        constraints = [models.UniqueConstraint(fields=["attempt", "question"], name="assignments_answer_once")]

    def __str__(self) -> str:
        return f"{self.attempt_id}: {self.question_id}"

    @property
    def is_unreadable(self) -> bool:
        """Whether its question asks for a number and `text` holds what was given for one."""
        return self.question.kind == Question.Kind.NUMBER and self.number is None and bool(self.text)
