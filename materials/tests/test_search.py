"""Search in the catalogue: word forms, typos, and what is found by whom."""

import pytest

from materials.indexing import index_course
from materials.models import Course, CourseSearch, Lesson
from materials.search import is_one_edit_away, query_groups, stem, words
from materials.tests.factories import CourseFactory

URL = "/api/courses/"


@pytest.fixture
def publish(client_for):
    """Publishes a course as its author does, so that it is indexed, and returns its id."""

    def publish(title, who="teacher", lessons=(), **fields):
        client = client_for(who)
        response = client.post(URL, {"title": title, **fields})
        assert response.status_code == 201, response.json()
        for lesson in lessons:
            added = client.post(f"{URL}{response.json()['id']}/lessons/", {"title": lesson})
            assert added.status_code == 201, added.json()
        return response.json()["id"]

    return publish


@pytest.fixture
def found(api):
    """The titles that a query finds, for anyone."""

    def found(query, client=api):
        response = client.get(URL, {"search": query, "ordering": "title"})
        assert response.status_code == 200, response.json()
        return [course["title"] for course in response.json()["results"]]

    return found


@pytest.fixture
def catalogue(publish):
    publish("Основы программирования на Python", description="Переменные, циклы и функции. Всё с нуля.")
    publish("Web design for beginners", description="Colours, grids and responsive layouts.")
    publish("Алгоритмы и структуры данных", description="Деревья, графы, сортировка.")


PYTHON, DESIGN, ALGORITHMS = (
    "Основы программирования на Python",
    "Web design for beginners",
    "Алгоритмы и структуры данных",
)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("программирование", PYTHON),
        ("программированию", PYTHON),
        ("программированием", PYTHON),
        ("основа", PYTHON),
        ("основами", PYTHON),
        ("переменная", PYTHON),
        ("переменных", PYTHON),
        ("функцией", PYTHON),
        ("алгоритм", ALGORITHMS),
        ("алгоритмов", ALGORITHMS),
        ("структура", ALGORITHMS),
        ("графами", ALGORITHMS),
        ("деревьев", ALGORITHMS),
        ("designs", DESIGN),
        ("designing", DESIGN),
        ("beginner", DESIGN),
        ("colour", DESIGN),
        ("grid", DESIGN),
        ("layout", DESIGN),
    ],
)
def test_word_forms(catalogue, found, query, title):
    titles = found(query)

    assert titles == [title]


@pytest.mark.parametrize("query", ["python", "PYTHON", "Python", "pYtHoN", "ОСНОВЫ", "основы", "ｐｙｔｈｏｎ"])
def test_case_does_not_matter(catalogue, found, query):
    titles = found(query)

    assert titles == [PYTHON]


@pytest.mark.parametrize("query", ["всё", "все", "ВСЁ", "Все", "все\u0308"])
def test_yo_is_ye(catalogue, found, query):
    titles = found(query)

    assert titles == [PYTHON]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        # missing
        ("pyton", PYTHON),
        ("ython", PYTHON),
        ("pytho", PYTHON),
        ("програмирования", PYTHON),
        ("алгортмы", ALGORITHMS),
        ("desin", DESIGN),
        # extra
        ("pythoon", PYTHON),
        ("ppython", PYTHON),
        ("pythonn", PYTHON),
        ("алггоритмы", ALGORITHMS),
        ("dessign", DESIGN),
        # swapped
        ("pyhton", PYTHON),
        ("ypthon", PYTHON),
        ("pythno", PYTHON),
        ("аглоритмы", ALGORITHMS),
        ("deisgn", DESIGN),
        # replaced
        ("pithon", PYTHON),
        ("bython", PYTHON),
        ("pythom", PYTHON),
        ("алгаритмы", ALGORITHMS),
        ("dezign", DESIGN),
        # so that a stemmer cuts the word elsewhere
        ("фцнкции", PYTHON),
        ("перементные", PYTHON),
        ("responsrve", DESIGN),
        # in another form of the word than the text has
        ("програмированием", PYTHON),
        ("алгаритмов", ALGORITHMS),
        ("begginner", DESIGN),
    ],
)
def test_one_typo_is_forgiven(catalogue, found, query, title):
    titles = found(query)

    assert titles == [title]


@pytest.mark.parametrize("query", ["piton", "pytn", "pyythoon", "ypthno", "алгаритны", "dezing", "javascript"])
def test_two_typos_are_not(catalogue, found, query):
    titles = found(query)

    assert titles == []


def test_short_words_are_taken_as_written(catalogue, found):
    titles = found("wed")

    assert titles == []


def test_a_typo_in_each_word(catalogue, found):
    titles = found("основв pyton")

    assert titles == [PYTHON]


def test_a_word_that_is_known_is_no_typo_of_another(publish, found):
    publish("Pandas")
    publish("Pandan")

    titles = found("pandas")

    assert "Pandas" in titles
    assert "Pandan" not in titles


def test_every_word_has_to_be_there(catalogue, found):
    titles = found("основы алгоритмов")

    assert titles == []


@pytest.mark.parametrize(
    "query", ["циклы python", "python циклы", "функции, ОСНОВЫ; программирования!", "python python"]
)
def test_words_in_any_order_and_place(catalogue, found, query):
    titles = found(query)

    assert titles == [PYTHON]


def test_the_author_is_searched(catalogue, publish, found, other):
    other.first_name, other.last_name = "Екатерина", "Соловьёва"
    other.save()
    publish("Керамика", who="other")

    titles = [found(query) for query in ("соловьева", "Екатерина Соловьёва", "екатерины")]

    assert titles == [["Керамика"]] * 3


def test_lessons_are_searched(publish, found):
    publish("Химия", lessons=["Валентность", "Кислоты и основания"])

    titles = [found(query) for query in ("валентности", "кислота", "химия кислота")]

    assert titles == [["Химия"]] * 3


@pytest.mark.parametrize("query", ["", " ", "   \t "])
def test_a_blank_search_finds_everything(catalogue, found, query):
    titles = found(query)

    assert sorted(titles) == sorted([PYTHON, DESIGN, ALGORITHMS])


def test_two_hundred_characters_are_searched(catalogue, found):
    titles = found(f"python {'x' * 193}")

    assert titles == []


@pytest.mark.parametrize("query", ["x" * 201, "python " * 29, "py\0thon", "\0"])
def test_what_no_one_searches_is_refused(catalogue, api, query):
    response = api.get(URL, {"search": query})

    assert response.status_code == 400
    assert [error["attr"] for error in response.json()["errors"]] == ["search"]


@pytest.mark.parametrize(
    "query",
    [
        *(
            "%",
            "_",
            "*",
            "'",
            '"',
            "\\",
            "!",
            "&",
            "|",
            ":",
            "()",
            "<->",
            "--",
            ";",
            "?",
            "…",
            "😀",
            "#",
            "++",
            "\u200b",
        ),
        *("%%%%", "____", "!!!!", "' OR 1=1 --", "a' | 'b", "(((", ":*", "!'", "\\'", "&&&"),
    ],
)
def test_special_characters_find_nothing_and_break_nothing(catalogue, found, query):
    titles = found(query)

    assert titles == []


@pytest.mark.parametrize(
    "query",
    ["python%", "'python'", "python:*", "!python", "python & циклы", "(python)", "_python_", "python\\", "«python»"],
)
def test_special_characters_around_words(catalogue, found, query):
    titles = found(query)

    assert titles == [PYTHON]


@pytest.mark.parametrize("query", ["pyth_n", "p%n", "p*n", "______"])
def test_there_are_no_wildcards(catalogue, found, query):
    titles = found(query)

    assert titles == []


@pytest.mark.parametrize(("query", "title"), [("c++", "Язык C++"), ("c#", "Язык C#"), ("C++ язык", "Язык C++")])
def test_languages_with_signs(publish, found, query, title):
    publish("Язык C++")
    publish("Язык C#")

    titles = found(query)

    assert titles == [title]


def test_many_words(catalogue, found):
    titles = found("python циклы функции переменные основы программирования нуля все на")

    assert titles == [PYTHON]


@pytest.mark.parametrize(
    ("who", "count"),
    [("anonymous", 0), ("student", 0), ("other", 0), ("teacher", 1), ("moderator", 1), ("admin", 1)],
)
def test_who_finds_a_draft(publish, found, client_for, who, count):
    publish("Секретный курс", status="draft")

    titles = found("секретный", client_for(who))

    assert len(titles) == count


def test_a_course_that_is_withdrawn_is_no_longer_found(publish, found, client_for):
    course = publish("Ботаника")
    client_for("teacher").patch(f"{URL}{course}/", {"status": "archived"})

    titles = found("ботаника")

    assert titles == []


def test_a_course_that_is_gone_leaves_no_entry(publish, found, client_for):
    course = publish("Ботаника")
    client_for("teacher").delete(f"{URL}{course}/")

    titles = found("ботаника")

    assert titles == []
    assert not CourseSearch.objects.exists()


def test_old_words_are_gone_after_a_change(publish, found, client_for):
    course = publish("Ботаника")
    client_for("teacher").patch(f"{URL}{course}/", {"title": "Зоология"})

    titles = found("ботаника"), found("зоология")

    assert titles == ([], ["Зоология"])


def test_old_words_of_lessons_are_gone_after_a_change(publish, found, client_for):
    course = publish("Химия", lessons=["Кислоты"])
    lesson = Course.objects.get(pk=course).lessons.get()
    client_for("teacher").patch(f"/api/lessons/{lesson.pk}/", {"title": "Щёлочи"})

    titles = found("кислота"), found("щелочь")

    assert titles == ([], ["Химия"])


def test_words_of_a_lesson_go_with_it(publish, found, client_for):
    course = publish("Химия", lessons=["Кислоты"])
    lesson = Course.objects.get(pk=course).lessons.get()
    client_for("teacher").delete(f"/api/lessons/{lesson.pk}/")

    titles = found("кислота"), found("химия")

    assert titles == ([], ["Химия"])


def test_search_with_other_filters(publish, found, api):
    publish("Python один", price="100.00")
    publish("Python два")

    response = api.get(URL, {"search": "python", "is_free": "true"})

    assert [course["title"] for course in response.json()["results"]] == ["Python два"]


@pytest.mark.parametrize("who", ["anonymous", "student", "teacher", "admin"])
@pytest.mark.parametrize("courses", [1, 5])
def test_queries(publish, client_for, django_assert_max_num_queries, who, courses):
    """The vocabulary, the count, the page, its lessons; and whoever asks, who is signed in."""
    for number in range(courses):
        publish(f"Python {number}", lessons=["Циклы"])
    client = client_for(who)

    with django_assert_max_num_queries(4 + (who != "anonymous")):
        response = client.get(URL, {"search": "pyton циклов"})

    assert response.json()["count"] == courses


def test_a_text_of_many_words_is_indexed(publish, found):
    publish("Словарь", description=" ".join(f"слово{number}" for number in range(1000)), lessons=["Последнее"])

    titles = found("последнее"), found("слово7"), found("словарь")

    assert titles == (["Словарь"],) * 3


def test_a_course_without_an_entry_is_not_found_and_breaks_nothing(found, course):
    CourseFactory(title="Python")

    titles = found("python")

    assert titles == []


# --- The rules by themselves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ёлки & PYTHON", ["елки", "python"]),
        ("C++, C# и F#", ["c++", "c#", "и", "f#"]),
        ("snake_case", ["snake", "case"]),
        ("x" * 50, ["x" * 40]),
        ("1С:Предприятие 8.3", ["1с", "предприятие", "8", "3"]),
        ("…", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("a", "b", "near"),
    [
        ("abc", "abc", True),
        ("abc", "ab", True),
        ("abc", "bc", True),
        ("abc", "ac", True),
        ("abc", "abcd", True),
        ("abc", "xabc", True),
        ("abc", "axc", True),
        ("abc", "acb", True),
        ("abc", "bac", True),
        ("a", "", True),
        ("abcd", "badc", False),
        ("abc", "cab", False),
        ("abc", "a", False),
        ("abc", "xyc", False),
        ("abc", "cba", False),
        ("ab", "", False),
    ],
)
def test_one_edit(a, b, near):
    assert is_one_edit_away(a, b) is is_one_edit_away(b, a) is near


def test_groups_of_a_query():
    known = [("pyton", "python"), ("основ", "основ")]

    assert query_groups("Pyton основы", known) == [["pyton", "python"], [stem("основы")]]


def test_of_very_many_long_descriptions_each_beginning_is_read(api, teacher):
    """Ten million characters at each write would take seconds of CPU."""
    course = CourseFactory(owner=teacher, title="Long")
    description = "Gravitation " + "ы " * 4000 + " Photosynthesis"
    Lesson.objects.bulk_create(
        Lesson(course=course, owner=teacher, title=f"Lesson {order}", order=order, description=description)
        for order in range(1, 1001)
    )

    index_course(course.pk)

    assert api.get("/api/courses/", {"search": "gravitation"}).json()["count"] == 1
    assert api.get("/api/courses/", {"search": "photosynthesis"}).json()["count"] == 0
