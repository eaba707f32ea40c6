"""The shapes of quizzes and attempts. Those that students get have no member that tells a right choice: it is not
hidden from them, it is not there."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import (
    OpenApiExample,
    PolymorphicProxySerializer,
    extend_schema_field,
    extend_schema_serializer,
)

from assignments.models import Answer, Attempt, Choice, Question, Quiz
from assignments.serializers.fields import ANY_STUDENT, NumberField, shown_student
from assignments.services import attempts
from common import serializers
from common.errors import invalid
from common.fields import OptionalBooleanField
from common.writing import SavesWhatWasSent
from materials.models import Lesson

MAX_QUESTIONS = 200
MAX_CHOICES = 50


class WholeListSerializer(serializers.ListSerializer):
    """A nested list whose members are complete in a PATCH, too: DRF asks the root alone whether anything may be left
    out."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        root = self.root
        partial, root.partial = root.partial, False
        try:
            return super().run_validation(data)
        finally:
            root.partial = partial


class ChoiceKeySerializer(serializers.ModelSerializer):
    """A choice as its author writes it."""

    text = serializers.CharField(max_length=1000)
    is_correct = serializers.BooleanField(default=False)
    order = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)

    class Meta:
        model = Choice
        fields = ("id", "text", "is_correct", "order")


class QuestionKeySerializer(serializers.ModelSerializer):
    """A question with its key: `choices` for single and multiple, `accepted_answers` for text, `correct_number` with
    `tolerance` for number. With `exact` a text has to have its ё where the key has it."""

    text = serializers.CharField(max_length=5000)
    points = NumberField(max_digits=6, min_value=0, max_value=1000, required=False)
    order = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)
    choices = ChoiceKeySerializer(many=True, required=False, max_length=MAX_CHOICES)
    accepted_answers = serializers.ListField(
        child=serializers.CharField(max_length=1000), required=False, max_length=MAX_CHOICES
    )
    correct_number = NumberField(max_digits=15, decimal_places=6, required=False, allow_null=True)
    tolerance = NumberField(max_digits=15, decimal_places=6, min_value=0, required=False)

    class Meta:
        model = Question
        list_serializer_class = WholeListSerializer
        fields = (
            "id",
            "kind",
            "text",
            "points",
            "order",
            "explanation",
            "choices",
            "accepted_answers",
            "exact",
            "correct_number",
            "tolerance",
        )

    def validate_points(self, value: Any) -> Any:
        if value <= 0:
            raise serializers.ValidationError(_("A question is worth something."), code="min_value")
        return value

    @serializers.rule("kind", "choices", "accepted_answers", "correct_number")
    def check_key(self, attrs: dict[str, Any]) -> None:
        kinds = Question.Kind
        kind = attrs["kind"]
        if kind in {kinds.SINGLE, kinds.MULTIPLE}:
            right = sum(choice["is_correct"] for choice in attrs.get("choices", []))
            if len(attrs.get("choices", [])) < 2:
                raise invalid("choices", "too_few", _("A question to choose from has two choices or more."))
            if right == 0 or (kind == kinds.SINGLE and right > 1):
                raise invalid("choices", "correct_choices", _("Mark the right choice; several only for `multiple`."))
        elif attrs.get("choices"):
            raise invalid("choices", "not_allowed", _("Only questions to choose from have choices."))
        if kind == kinds.TEXT and not attrs.get("accepted_answers"):
            raise invalid("accepted_answers", "required", _("Name at least one answer that is accepted."))
        if kind == kinds.NUMBER and attrs.get("correct_number") is None:
            raise invalid("correct_number", "required", _("Name the right number."))


class QuizBriefSerializer(serializers.ModelSerializer):
    """A quiz as students see it: its rules, and how often they may still try. The questions come with an attempt."""

    passing_score = NumberField(max_digits=5, min_value=0, max_value=100, required=False)
    lesson_title = serializers.CharField(source="lesson.title", read_only=True, allow_null=True)
    question_count = serializers.IntegerField(read_only=True)
    attempts_used = serializers.IntegerField(read_only=True, help_text="By the caller.")
    best_score = NumberField(read_only=True, allow_null=True, help_text="Of the caller, in percent.")

    class Meta:
        model = Quiz
        fields = (
            "id",
            "course",
            "lesson",
            "lesson_title",
            "title",
            "description",
            "is_final",
            "passing_score",
            "allowed_attempts",
            "time_limit_minutes",
            "shuffle",
            "show_correct_answers",
            "question_count",
            "attempts_used",
            "best_score",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("course",)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A final quiz with four kinds of question",
            {
                "title": "Итоговый тест",
                "is_final": True,
                "passing_score": 60,
                "allowed_attempts": 3,
                "time_limit_minutes": 30,
                "shuffle": True,
                "show_correct_answers": False,
                "questions": [
                    {
                        "kind": "single",
                        "text": "Ближайшая к нам звезда?",
                        "points": 1,
                        "choices": [{"text": "Солнце", "is_correct": True}, {"text": "Сириус", "is_correct": False}],
                    },
                    {
                        "kind": "multiple",
                        "text": "Какие из них — планеты?",
                        "points": 2,
                        "choices": [
                            {"text": "Марс", "is_correct": True},
                            {"text": "Венера", "is_correct": True},
                            {"text": "Луна", "is_correct": False},
                        ],
                    },
                    {
                        "kind": "text",
                        "text": "Самая яркая звезда ночного неба?",
                        "accepted_answers": ["Сириус", "Sirius"],
                    },
                    {"kind": "number", "text": "Сколько планет?", "correct_number": 8, "tolerance": 0},
                ],
            },
            request_only=True,
        )
    ]
)
class QuizSerializer(SavesWhatWasSent, QuizBriefSerializer):
    """A quiz as its author writes it, in one body. Sending `questions` replaces all of them; attempts that have been
    made keep theirs."""

    lesson = serializers.PrimaryKeyRelatedField(queryset=Lesson.objects.all(), required=False, allow_null=True)
    is_final = OptionalBooleanField(required=False)
    shuffle = OptionalBooleanField(required=False)
    show_correct_answers = OptionalBooleanField(required=False)
    questions = QuestionKeySerializer(many=True, required=False, max_length=MAX_QUESTIONS)

    class Meta(QuizBriefSerializer.Meta):
        fields = (*QuizBriefSerializer.Meta.fields, "questions")
        validators: list[Any] = []  # the one final quiz is checked below, by name

    def validate_lesson(self, lesson: Lesson | None) -> Lesson | None:
        if lesson is not None and lesson.course_id != self.context["course"].pk:
            raise serializers.ValidationError(_("The lesson belongs to another course."), code="does_not_exist")
        return lesson

    def validate_is_final(self, value: bool) -> bool:
        others = Quiz.objects.filter(course=self.context["course"], is_final=True)
        if self.instance is not None:
            others = others.exclude(pk=self.instance.pk)
        if value and others.exists():
            raise serializers.ValidationError(_("The course has a final quiz."), code="unique")
        return value

    def to_representation(self, quiz: Quiz) -> dict[str, Any]:
        data = super().to_representation(quiz)
        return {**data, "questions": QuestionKeySerializer(quiz.current_questions, many=True).data}


# --- Attempts --------------------------------------------------------------------------------------------------------


class GivenNumberField(NumberField):
    """A number, or, if what was written is none, the text as it was written: one slip of the pen shall not cost the
    other answers. Browsers reckon in binary: 0.1 + 0.2 comes as 0.30000000000000004, and means 0.3."""

    KEPT = 100  # characters of what is no number

    def to_internal_value(self, data: Any) -> Any:
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError:
            if isinstance(data, bool) or not isinstance(data, str | int | float):
                raise
            return str(data)[: self.KEPT].replace("\0", "")

    def validate_precision(self, value: Decimal) -> Decimal:
        if value.is_finite() and value.adjusted() < self.max_digits - self.decimal_places:
            value = round(value, self.decimal_places)
        return super().validate_precision(value)


class GivenAnswerSerializer(serializers.Serializer):
    question = serializers.UUIDField()
    choices = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_null=True, max_length=MAX_CHOICES
    )
    text = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=10_000)
    number = GivenNumberField(
        max_digits=15,
        decimal_places=6,
        required=False,
        allow_null=True,
        help_text="A number, or a text such as `−1 234,5`. What is none is kept as `text`, and named by `problem`.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A choice, a text and a number",
            {
                "answers": [
                    {
                        "question": "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e5f",
                        "choices": ["0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e60"],
                    },
                    {"question": "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e61", "text": "Сириус"},
                    {"question": "0193a6c2-7b1e-7c3d-9f00-6a1b2c3d4e62", "number": 8},
                ]
            },
            request_only=True,
        )
    ]
)
class AnswersSerializer(serializers.Serializer):
    answers = GivenAnswerSerializer(many=True, max_length=MAX_QUESTIONS)


class OptionalAnswersSerializer(serializers.Serializer):
    answers = GivenAnswerSerializer(many=True, required=False, max_length=MAX_QUESTIONS)


class AskedChoiceSerializer(serializers.ModelSerializer):
    class Meta:
        model = Choice
        fields = ("id", "text")
        read_only_fields = fields


class AskedQuestionSerializer(serializers.ModelSerializer):
    """A question as it is put to a student."""

    points = NumberField(read_only=True)
    choices = AskedChoiceSerializer(many=True, read_only=True, source="layout_choices")

    class Meta:
        model = Question
        fields = ("id", "kind", "text", "points", "choices")
        read_only_fields = fields


class SavedAnswerSerializer(serializers.ModelSerializer):
    """What has been answered."""

    choices = serializers.ListField(child=serializers.UUIDField(), source="chosen", read_only=True)
    number = NumberField(max_digits=15, decimal_places=6, read_only=True, allow_null=True)
    problem = serializers.SerializerMethodField(
        help_text="`invalid_number`: `text` holds what was given as a number and is none. It counts as wrong."
    )

    class Meta:
        model = Answer
        fields = ("question", "choices", "text", "number", "problem")
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=["invalid_number"], allow_null=True))
    def get_problem(self, answer: Answer) -> str | None:
        return "invalid_number" if answer.is_unreadable else None


class MarkedAnswerSerializer(SavedAnswerSerializer):
    """The same with the key beside it, for whoever may see it by now."""

    points = NumberField(read_only=True)
    is_correct = serializers.BooleanField(read_only=True)
    correct_choices = serializers.ListField(child=serializers.UUIDField(), read_only=True)
    accepted_answers = serializers.ListField(
        child=serializers.CharField(), source="question.accepted_answers", read_only=True
    )
    correct_number = NumberField(
        max_digits=15, decimal_places=6, source="question.correct_number", read_only=True, allow_null=True
    )
    explanation = serializers.CharField(source="question.explanation", read_only=True)

    class Meta(SavedAnswerSerializer.Meta):
        fields = (
            *SavedAnswerSerializer.Meta.fields, "points", "is_correct", "correct_choices", "accepted_answers",
            "correct_number", "explanation",
        )  # fmt: skip
        read_only_fields = fields


ANSWERS = PolymorphicProxySerializer(
    component_name="AttemptAnswer",
    serializers=[MarkedAnswerSerializer, SavedAnswerSerializer],
    resource_type_field_name=None,
    many=True,
)


class AttemptBriefSerializer(serializers.ModelSerializer):
    """An attempt in a history. Scores are null until it is submitted."""

    student_profile = serializers.SerializerMethodField()
    points = NumberField(read_only=True, allow_null=True)
    max_points = NumberField(read_only=True)
    score = NumberField(read_only=True, allow_null=True, help_text="Percent.")

    class Meta:
        model = Attempt
        fields = (
            "id",
            "quiz",
            "student",
            "student_profile",
            "number",
            "state",
            "started_at",
            "expires_at",
            "submitted_at",
            "points",
            "max_points",
            "score",
            "passed",
        )
        read_only_fields = fields

    @extend_schema_field(ANY_STUDENT)
    def get_student_profile(self, attempt: Attempt) -> Any:
        return shown_student(attempt.student, attempt.quiz.course, self.context)


class MyAttemptSerializer(AttemptBriefSerializer):
    """The same among one's own of all courses, with the quiz as it is now and the titles of what that belongs to."""

    quiz_title = serializers.CharField(source="quiz.title", read_only=True)
    is_final = serializers.BooleanField(source="quiz.is_final", read_only=True)
    passing_score = NumberField(source="quiz.passing_score", read_only=True)
    lesson = serializers.UUIDField(source="quiz.lesson_id", read_only=True, allow_null=True)
    lesson_title = serializers.CharField(source="quiz.lesson.title", read_only=True, allow_null=True)
    course = serializers.UUIDField(source="quiz.course_id", read_only=True)
    course_title = serializers.CharField(source="quiz.course.title", read_only=True)

    class Meta(AttemptBriefSerializer.Meta):
        fields = (
            *AttemptBriefSerializer.Meta.fields, "quiz_title", "is_final", "passing_score", "lesson", "lesson_title",
            "course", "course_title",
        )  # fmt: skip
        read_only_fields = fields


class AttemptSerializer(AttemptBriefSerializer):
    """An attempt with its questions, in the order of this attempt, and what has been answered. `is_correct` and what
    follows it are there only once it is submitted, and only if the quiz shows right answers."""

    questions = serializers.SerializerMethodField()
    answers = serializers.SerializerMethodField()

    class Meta(AttemptBriefSerializer.Meta):
        fields = (*AttemptBriefSerializer.Meta.fields, "questions", "answers")
        read_only_fields = fields

    @extend_schema_field(AskedQuestionSerializer(many=True))
    def get_questions(self, attempt: Attempt) -> Any:
        return AskedQuestionSerializer(self._asked(attempt), many=True).data

    @extend_schema_field(ANSWERS)
    def get_answers(self, attempt: Attempt) -> Any:
        saved = {answer.question_id: answer for answer in attempt.answers.all()}
        for question in self._asked(attempt):
            if question.pk in saved:
                saved[question.pk].question = question
        if not self._shows_key(attempt):
            in_order = [saved[question.pk] for question in self._asked(attempt) if question.pk in saved]
            return SavedAnswerSerializer(in_order, many=True).data
        marked = []
        for question in self._asked(attempt):
            answer = saved.get(question.pk) or Answer(attempt=attempt, question=question, points=0, is_correct=False)
            answer.correct_choices = [choice.pk for choice in question.layout_choices if choice.is_correct]
            marked.append(answer)
        return MarkedAnswerSerializer(marked, many=True).data

    def _shows_key(self, attempt: Attempt) -> bool:
        if attempt.state != Attempt.State.SUBMITTED:
            return False
        return attempt.quiz.show_correct_answers or self.context["sees_keys"]

    def _asked(self, attempt: Attempt) -> list[Question]:
        if not hasattr(attempt, "asked"):
            attempt.asked = attempts.asked_questions(attempt)
        return attempt.asked


class AuthoredQuizSerializer(serializers.ModelSerializer):
    """A quiz as a line in the list of what its author has made."""

    course_title = serializers.CharField(source="course.title", read_only=True)
    lesson_title = serializers.CharField(source="lesson.title", read_only=True, allow_null=True)

    class Meta:
        model = Quiz
        fields = (
            "id", "title", "course", "course_title", "lesson", "lesson_title", "is_final", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class AuthoredQuizzesSerializer(serializers.Serializer):
    """This app's members of `/users/me/materials/`."""

    quizzes = AuthoredQuizSerializer(many=True)
