"""One data set, the same for a seed and a size, loaded into the product's own tables by bulk SQL."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Model

START = "timestamptz '2026-01-01 00:00:00+00'"
CATEGORIES = 8
ENROLLMENTS_EACH = 20
SUBSCRIPTIONS_EACH = 10
PAYMENTS_EACH = 20
READERS_PAYMENTS = 100


@dataclass(frozen=True)
class Size:
    courses: int = 2000
    lessons: int = 10
    people: int = 1000
    seed: int = 1

    @property
    def teachers(self) -> int:
        return max(1, self.people // 20)

    @property
    def reader(self) -> int:
        """The number of the person who reads in every benchmark: a student."""
        return self.people


def load(size: Size) -> None:
    """People, courses with lessons, enrollments, subscriptions, progress and payments. Expects an empty schema.

    The reader is enrolled in every third of the newest courses, subscribed to every fourth, has completed the first
    lessons and bought some lessons by themselves, so that a page shows every kind of lock.
    """
    from materials.models import Category, Course, Enrollment, Lesson, LessonAccess, LessonCompletion, Subscription
    from payments.models import Payment
    from users.models import User

    fill = Filler(size.seed)
    reader = fill.id("user", str(size.reader))
    teacher = f"1 + mod(c, {size.teachers})"
    recent = f"c > {size.courses - 100}"
    fill(
        User,
        f"generate_series(1, {size.people}) p",
        id=fill.id("user", "p"),
        email="'person' || p || '@bench.test'",
        email_verified_at=START,
        password="'!'",
        first_name="'Имя' || p",
        last_name="'Фамилия' || p",
        role=f"CASE WHEN p <= {size.teachers} THEN 'teacher' ELSE 'student' END",
        language="CASE WHEN mod(p, 2) = 0 THEN 'ru' ELSE 'en' END",
        date_joined=f"{START} + p * interval '1.000123 s'",
        last_login=START,
    )
    fill(
        Category,
        f"generate_series(1, {CATEGORIES}) k",
        id=fill.id("category", "k"),
        slug="'category-' || k",
        title="'Раздел ' || k",
        order="k",
    )
    fill(
        Course,
        f"generate_series(1, {size.courses}) c",
        id=fill.id("course", "c"),
        created_at=f"{START} + c * interval '61.000123 s'",
        updated_at=f"{START} + c * interval '61.000123 s'",
        published_at=f"{START} + c * interval '61.000123 s'",
        owner_id=fill.id("user", teacher),
        category_id=f"CASE WHEN mod(c, 10) > 0 THEN {fill.id('category', f'1 + mod(c, {CATEGORIES})')} END",
        title=f"'Курс ' || c || ': ' || {fill.words('title', 'c', 3)}",
        description=fill.words("description", "c", 8),
        level=fill.one_of("level", "c", "beginner", "intermediate", "advanced"),
        language="CASE WHEN mod(c, 3) = 0 THEN 'en' ELSE 'ru' END",
        price="CASE WHEN mod(c, 2) = 0 THEN 0 ELSE 4900 END",
        currency="'RUB'",
        status="'published'",
        sequential="mod(c, 5) = 0",
        rating_average=f"round(({fill.chance('rating', 'c')} * 5)::numeric, 2)",
        rating_count=f"floor({fill.chance('ratings', 'c')} * 50)",
        lesson_count=str(size.lessons),
    )
    lesson = "c * 1000 + l"
    fill(
        Lesson,
        f"generate_series(1, {size.courses}) c, generate_series(1, {size.lessons}) l",
        id=fill.id("lesson", lesson),
        created_at=f"{START} + c * interval '61.000123 s' + l * interval '1 s'",
        course_id=fill.id("course", "c"),
        owner_id=fill.id("user", teacher),
        title=f"'Урок ' || l || ': ' || {fill.words('lesson', lesson, 1)}",
        description=fill.words("lesson text", lesson, 10),
        body="repeat('Абзац урока, в котором что-то объясняется. ', 15)",
        video_url="'https://www.youtube.com/watch?v=dQw4w9WgXcQ'",
        order="l",
        is_preview="l = 1",
        duration_seconds=f"floor({fill.chance('duration', lesson)} * 3600)",
    )
    own_courses = f"mod(p * 37 + k * 101, {size.courses}) + 1"
    fill(
        Enrollment,
        f"(SELECT p, {own_courses} AS c, false AS late FROM generate_series({size.teachers + 1}, {size.people - 1}) p, "
        f"generate_series(1, {ENROLLMENTS_EACH}) k "
        f"UNION SELECT {size.reader}, c, mod(c, 9) = 0 FROM generate_series(1, {size.courses}) c "
        f"WHERE {recent} AND mod(c, 3) = 0) pairs",
        id=fill.id("enrollment", "p::text || ' ' || c"),
        user_id=fill.id("user", "p"),
        course_id=fill.id("course", "c"),
        source="CASE WHEN mod(c, 2) = 0 THEN 'free' ELSE 'payment' END",
        expires_at=f"CASE WHEN late THEN {START} END",
    )
    fill(
        Subscription,
        f"(SELECT p, {own_courses} AS c FROM generate_series({size.teachers + 1}, {size.people - 1}) p, "
        f"generate_series(1, {SUBSCRIPTIONS_EACH}) k "
        f"UNION SELECT {size.reader}, c FROM generate_series(1, {size.courses}) c "
        f"WHERE {recent} AND mod(c, 4) = 0) pairs",
        id=fill.id("subscription", "p::text || ' ' || c"),
        user_id=fill.id("user", "p"),
        course_id=fill.id("course", "c"),
    )
    fill(
        LessonCompletion,
        f"generate_series(1, {size.courses}) c, generate_series(1, {min(3, size.lessons)}) l "
        f"WHERE {recent} AND mod(c, 3) = 0 AND (l < 3 OR mod(c, 2) = 0)",
        id=fill.id("completion", lesson),
        enrollment_id=fill.id("enrollment", f"'{size.reader} ' || c"),
        lesson_id=fill.id("lesson", lesson),
        completed_at=START,
    )
    fill(
        LessonAccess,
        f"generate_series(1, {size.courses}) c, generate_series(4, {min(5, size.lessons)}) l "
        f"WHERE {recent} AND mod(c, 7) = 0",
        id=fill.id("access", lesson),
        user_id=reader,
        lesson_id=fill.id("lesson", lesson),
        source="'payment'",
    )
    fill(
        Payment,
        f"(SELECT p, k, {own_courses} AS c FROM generate_series({size.teachers + 1}, {size.people - 1}) p, "
        f"generate_series(1, {PAYMENTS_EACH}) k UNION ALL SELECT {size.reader}, k, k FROM "
        f"generate_series(1, {min(READERS_PAYMENTS, size.courses)}) k) rows",
        id=fill.id("payment", "p::text || ' ' || k"),
        created_at=f"{START} + (p * 100 + k) * interval '59.000123 s'",
        updated_at=f"{START} + (p * 100 + k) * interval '59.000123 s'",
        payment_date=f"{START} + (p * 100 + k) * interval '59.000123 s'",
        user_id=fill.id("user", "p"),
        paid_course_id=fill.id("course", "c"),
        title="'Курс ' || c",
        amount="4900",
        currency="'RUB'",
        payment_method="CASE WHEN mod(k, 4) = 0 THEN 'transfer' ELSE 'card' END",
        status="'succeeded'",
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE materials_course SET enrollment_count = counted.n FROM (SELECT course_id, count(*) n FROM "
            "materials_enrollment GROUP BY course_id) counted WHERE counted.course_id = materials_course.id"
        )
        # So that nobody's statistics, and no autovacuum in the middle of a round, decide who is faster.
        cursor.execute("VACUUM (FULL, ANALYZE)")


class Filler:
    """INSERT … SELECT into a model's table; what is not named gets the field's own default."""

    words_known = (
        *("основы", "практика", "данные", "проект", "Python", "запросы", "тесты", "сеть", "память", "алгоритм"),
        *("интерфейс", "сервер", "очередь", "письмо", "график", "доступ", "оценка", "журнал", "задача", "ответ"),
        *("course", "lesson", "review", "chapter", "query", "index", "cache", "page"),
    )

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, model: type[Model], rows: str, /, **expressions: str) -> None:
        columns, values, parameters = [], [], []
        for field in model._meta.concrete_fields:
            columns.append(connection.ops.quote_name(field.column))
            if field.attname in expressions:
                values.append(expressions.pop(field.attname))
            elif getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
                values.append(f"{START} + interval '0.000123 s'")
            else:
                values.append("%s")
                parameters.append(field.get_db_prep_save(field.get_default(), connection))
        if expressions:
            raise TypeError(f"{model.__name__} has no {', '.join(expressions)}")
        table = connection.ops.quote_name(model._meta.db_table)
        with connection.cursor() as cursor:
            # The names and the numbers are our own.
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {rows}", parameters
            )

    def id(self, kind: str, key: str) -> str:
        """The UUID of a thing of a kind, as an expression over its key: version 7 in form, ascending for numbers."""
        moment = f"lpad(to_hex(1767225600000 + {key}), 12, '0')" if "||" not in key else "'019b76daa400'"
        digest = f"md5('{self.seed} {kind} ' || ({key}))"
        return f"({moment} || '7' || substr({digest}, 1, 3) || '8' || substr({digest}, 4, 15))::uuid"

    def chance(self, kind: str, key: str) -> str:
        """A number from 0 to 1."""
        return f"(('x' || substr(md5('{self.seed} {kind} ' || ({key})), 1, 7))::bit(28)::int / 268435456.0)"

    def one_of(self, kind: str, key: str, *choices: str) -> str:
        array = ", ".join(f"'{choice}'" for choice in choices)
        return f"(ARRAY[{array}])[1 + floor({self.chance(kind, key)} * {len(choices)})::int]"

    def words(self, kind: str, key: str, count: int) -> str:
        picks = (self.one_of(f"{kind} {i}", key, *self.words_known) for i in range(count))
        return f"concat_ws(' ', {', '.join(picks)})"


def identify(size: Size) -> dict[str, Any]:
    """The rows that the benchmarks ask for, by id."""
    from materials.models import Course, Lesson
    from users.models import User

    reader = User.objects.get(email=f"person{size.reader}@bench.test")
    newest = list(Course.objects.order_by("-created_at", "-id").select_related("owner")[:20])
    enrolled = (
        newest[0]
        .__class__.objects.filter(
            pk__in=[course.pk for course in newest],
            enrollments__user=reader,
            sequential=False,
            enrollments__expires_at=None,
        )
        .first()
    )
    lesson = Lesson.objects.filter(course=enrolled).order_by("order")[1]
    return {"reader": reader, "newest": newest, "course": enrolled, "lesson": lesson}
