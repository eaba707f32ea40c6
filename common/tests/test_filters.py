import pytest

from materials.tests.factories import CourseFactory, LessonFactory

COURSES = "/api/courses/"
LISTS = ["/api/courses/", "/api/categories/", "/api/users/", "/api/payments/", "/api/lessons/", "/api/users/payments/"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_courses(teacher):
    return [
        CourseFactory(owner=teacher, title="Free", price="0.00"),
        CourseFactory(owner=teacher, title="Paid", price="100.00"),
    ]


def titles(response):
    assert response.status_code == 200, response.json()
    return [row["title"] for row in response.json()["results"]]


def check_refused(response, attr):
    assert response.status_code == 400
    assert {error["attr"] for error in response.json()["errors"]} == {attr}


@pytest.mark.parametrize("path", LISTS)
def test_an_unknown_filter(client_for, path):
    response = client_for("admin").get(path, {"colour": "red"})

    check_refused(response, "colour")
    assert response.json()["errors"][0]["code"] == "unknown_filter"


@pytest.mark.parametrize("name", ["Level", "level__in", "owner__email", "level ", "\x00", "курс"])
def test_nearly_a_filter(api, course, name):
    response = api.get(COURSES, {name: "x"})

    assert response.status_code == 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("level", "expert"),
        ("language", "de"),
        ("status", "x"),
        ("owner", "1"),
        ("owner", "me"),
        ("price_min", "cheap"),
        ("price_min", "NaN"),
        ("price_max", "1e400"),
        ("rating_min", "Infinity"),
    ],
)
def test_unknown_values(api, course, name, value):
    response = api.get(COURSES, {name: value})

    check_refused(response, name)


@pytest.mark.parametrize("name", ["level", "category", "search", "owner", "price_min", "is_free", "ordering"])
def test_a_zero_byte(api, course, name):
    response = api.get(COURSES, {name: "a\x00b"})

    check_refused(response, name)


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "1"])
def test_true(api, two_courses, value):
    response = api.get(COURSES, {"is_free": value})

    assert titles(response) == ["Free"]


@pytest.mark.parametrize("value", ["false", "False", "FALSE", "0"])
def test_false(api, two_courses, value):
    response = api.get(COURSES, {"is_free": value})

    assert titles(response) == ["Paid"]


@pytest.mark.parametrize("value", ["yes", "no", "2", "-1", "null", "on", "tru", "истина", "true,false"])
def test_neither_true_nor_false(api, two_courses, value):
    response = api.get(COURSES, {"is_free": value})

    check_refused(response, "is_free")


def test_an_empty_filter_filters_nothing(api, two_courses):
    response = api.get(COURSES, {"is_free": "", "level": "", "owner": "", "search": ""})

    assert len(titles(response)) == 2


def test_filters_do_not_reach_a_single_object(api, course):
    response = api.get(f"{COURSES}{course.pk}/", {"colour": "red"})

    assert response.status_code == 200


# --- Ordering --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("price", ["Free", "Paid"]),
        ("-price", ["Paid", "Free"]),
        ("title", ["Free", "Paid"]),
        ("-title", ["Paid", "Free"]),
        ("rating,-price", ["Paid", "Free"]),
        (" rating , price ", ["Free", "Paid"]),
        ("", ["Paid", "Free"]),
    ],
)
def test_ordering(api, two_courses, ordering, expected):
    response = api.get(COURSES, {"ordering": ordering})

    assert titles(response) == expected


@pytest.mark.parametrize(
    "ordering", ["owner__password", "rating_average", "id", "?", "--price", "price,", ",", "Price"]
)
def test_an_unknown_ordering(api, two_courses, ordering):
    response = api.get(COURSES, {"ordering": ordering})

    check_refused(response, "ordering")


@pytest.mark.parametrize("path", LISTS)
def test_no_list_orders_by_what_it_does_not_offer(client_for, path):
    response = client_for("admin").get(path, {"ordering": "password"})

    check_refused(response, "ordering")


# --- Words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ОСНОВЫ", 1),
        ("языка основы", 1),
        ("основы рисования", 0),
        ("основы языка python and more о с н рисования", 1),  # what follows the eighth costs and says nothing
        ("python", 1),
        (".", 0),
        ("(", 0),
        ("  ", 4),
    ],
)
def test_words(client_for, course, text, found):
    LessonFactory(course=course, title="Основы языка", description="Python and more", order=9)

    for path in ("/api/lessons/", f"{COURSES}{course.pk}/lessons/"):
        assert len(titles(client_for("teacher").get(path, {"search": text}))) == found


@pytest.mark.parametrize("text", ["x" * 201, "a\x00b"])
def test_bad_words(client_for, text):
    check_refused(client_for("admin").get("/api/users/", {"search": text}), "search")


@pytest.mark.parametrize(("who", "found"), [("student", False), ("other", False), ("moderator", True), ("admin", True)])
def test_nobody_finds_people_by_what_they_do_not_see(client_for, course, teacher, who, found):
    teacher.last_name = "Ivanova"
    teacher.save()

    for text in (teacher.email, teacher.last_name.upper()):
        answer = client_for(who).get("/api/users/", {"search": text})
        assert (str(teacher.pk) in {person["id"] for person in answer.json()["results"]}) is found


@pytest.mark.parametrize("path", ["/api/categories/", "/api/users/", "/api/payments/", "/api/users/payments/",
    "/api/users/certificates/", "/api/users/me/courses/", "/api/feedback/", "{course}reviews/", "{course}quizzes/",
    "{course}students/"])  # fmt: skip
def test_lists_that_are_searched(client_for, course, path):
    answer = client_for("admin").get(path.format(course=f"{COURSES}{course.pk}/"), {"search": "no such thing"})

    assert titles(answer) == []


# --- Given several times ---------------------------------------------------------------------------------------------


@pytest.fixture
def levels(teacher):
    return [
        CourseFactory(owner=teacher, title=level, level=level) for level in ("beginner", "intermediate", "advanced")
    ]


def test_any_of_several_choices(api, levels):
    response = api.get(f"{COURSES}?level=beginner&level=advanced&ordering=title")

    assert titles(response) == ["advanced", "beginner"]


def test_any_of_several_ids(api, levels, other):
    CourseFactory(owner=other, title="Other")

    response = api.get(f"{COURSES}?owner={other.pk}&owner={levels[0].pk}")

    assert titles(response) == ["Other"]


def test_an_empty_one_of_several_asks_for_nothing(api, levels):
    assert titles(api.get(f"{COURSES}?level=&level=advanced")) == ["advanced"]


def test_one_of_several_is_unknown(api, levels):
    check_refused(api.get(f"{COURSES}?level=beginner&level=expert"), "level")


@pytest.mark.parametrize("name", ["search", "price_min", "is_free", "ordering", "page", "page_size", "category"])
def test_what_cannot_be_given_twice(api, levels, name):
    response = api.get(f"{COURSES}?{name}=1&{name}=1")

    check_refused(response, name)
    assert response.json()["errors"][0]["code"] == "repeated"


def test_either_status_of_the_cabinet(client_for, enrolled):
    client = client_for("enrolled")

    counts = [
        client.get(f"/api/users/me/courses/?{query}").json()["count"]
        for query in ("status=completed&status=expired", "status=completed&status=active", "status=expired&status=all")
    ]
    assert counts == [0, 1, 1]


@pytest.mark.parametrize("query", ["page=", "page_size=", "page=&page_size=&level="])
def test_an_empty_page_is_the_first(api, levels, query):
    assert len(titles(api.get(f"{COURSES}?{query}"))) == 3


# --- Words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("search", ["Ёлка", "елка", "ЕЛКА", "\u200bЕ\u0308лка\u00a0", "ёл"])
def test_a_search_knows_no_case_no_dots_and_no_forms(client_for, api, course, search):
    LessonFactory(course=course, order=9, title="Ёлка", is_preview=True)
    LessonFactory(course=course, order=10, title="Еловый лес", is_preview=True)

    response = api.get(f"{COURSES}{course.pk}/lessons/", {"search": search})

    assert "Ёлка" in titles(response)


def test_a_search_of_a_hundred_kilobytes(client_for, course):
    check_refused(client_for("admin").get("/api/users/", {"search": "x" * 100_000}), "search")
