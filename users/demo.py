"""The demo's people, and what they are told first."""

from datetime import timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from PIL import Image, ImageDraw

from common import frontend
from common.demo import (
    DemoError,
    delete_demo_rows,
    demo_id,
    demo_rows,
    gradient,
    other_rows,
    save_demo_rows,
    save_picture,
)
from users.models import MODERATORS, Notification, User, normal_password


class Person(NamedTuple):
    key: str  # also the first part of the email
    first_name: str
    last_name: str
    city: str
    role: str = User.Role.STUDENT
    username: str | None = None
    joined_days_ago: int = 300
    time_zone: str = "Europe/Moscow"


PEOPLE = [
    Person("admin", "Мария", "Ковалёва", "Москва", User.Role.ADMIN, "admin", 400),
    Person("moderator", "Дмитрий", "Лебедев", "Санкт-Петербург", User.Role.STUDENT, "moderator", 380),
    Person("teacher", "Анна", "Соколова", "Москва", User.Role.TEACHER, "anna.sokolova", 370),
    Person("student", "Илья", "Морозов", "Казань", User.Role.STUDENT, "ilya.morozov", 120),
    Person("student2", "Софья", "Белова", "Екатеринбург", User.Role.STUDENT, "sofya", 260, "Asia/Yekaterinburg"),
    Person("pavel", "Павел", "Громов", "Новосибирск", User.Role.TEACHER, "pavel.gromov", 350, "Asia/Novosibirsk"),
    Person("elena", "Елена", "Виноградова", "Санкт-Петербург", User.Role.TEACHER, "elena.design", 340),
    Person("kate", "Екатерина", "Орлова", "Калининград", User.Role.TEACHER, "kate.orlova", 360, "Europe/Kaliningrad"),
    Person("timur", "Тимур", "Хасанов", "Уфа", User.Role.TEACHER, "timur", 330, "Asia/Yekaterinburg"),
    Person("olga", "Ольга", "Смирнова", "Самара", username="olga", time_zone="Europe/Samara"),
    Person("nikita", "Никита", "Фёдоров", "Пермь", username="nikita.fedorov", time_zone="Asia/Yekaterinburg"),
    Person("daria", "Дарья", "Кузнецова", "Воронеж"),
    Person("artem", "Артём", "Волков", "Томск", username="artem_v", time_zone="Asia/Tomsk"),
    Person("polina", "Полина", "Зайцева", "Тула"),
    Person("maxim", "Максим", "Егоров", "Владивосток", username="maxim", time_zone="Asia/Vladivostok"),
    Person("alina", "Алина", "Гарипова", "Казань"),
    Person("kirill", "Кирилл", "Новиков", "Нижний Новгород", username="kirill.n"),
    Person("vera", "Вера", "Степанова", "Ярославль"),
    Person("ruslan", "Руслан", "Ахметов", "Челябинск", username="ruslan", time_zone="Asia/Yekaterinburg"),
    Person("zoya", "Зоя", "Мельникова", "Петрозаводск"),
    Person("gleb", "Глеб", "Тарасов", "Иркутск", username="gleb", time_zone="Asia/Irkutsk"),
    Person("lidia", "Лидия", "Романова", "Краснодар"),
]

WELCOME = """Здравствуйте, {name}!

Загляните в каталог: первый урок каждого курса открыт всем. Git, личные финансы и фотография бесплатны целиком."""


def strangers() -> dict[str, int]:
    return {"users": other_rows(User).count()}


def clear() -> None:
    demo_rows(Notification).delete()
    delete_demo_rows(User)


def load(people: dict[str, User]) -> dict[str, int]:
    check_nobody_is_in_the_way()
    now = timezone.now()
    password = make_password(normal_password(settings.DEMO_PASSWORD))  # slow on purpose, so once for all
    for number, person in enumerate(PEOPLE):
        joined = now - timedelta(days=person.joined_days_ago, hours=number)
        # A recent visit: who has not come for a month is put to sleep at night.
        visited = now - timedelta(hours=1 + 7 * number)
        people[person.key] = User(
            id=demo_id("user", person.key),
            email=f"{person.key}@example.com",
            password=password,
            username=person.username,
            first_name=person.first_name,
            last_name=person.last_name,
            phone=f"+7 900 555-{number:02}-{number * 7 % 100:02}",
            city=person.city,
            role=person.role,
            time_zone=person.time_zone,
            is_superuser=person.role == User.Role.ADMIN,
            email_verified_at=joined + timedelta(minutes=9),
            date_joined=joined,
            last_login=visited,
            last_seen_at=visited,
            created_at=joined,
            updated_at=visited,
        )
    for key, user in people.items():
        user.avatar = save_picture(f"public/avatars/{user.pk}.webp", draw_avatar(key))
    save_demo_rows(list(people.values()), overwrite=True)
    people["moderator"].groups.add(Group.objects.get_or_create(name=MODERATORS)[0])
    save_demo_rows(
        [
            Notification(
                id=demo_id("notification", "welcome", key),
                recipient=people[key],
                kind=Notification.Kind.ANNOUNCEMENT,
                subject="Добро пожаловать в Lyceum",
                message=WELCOME.format(name=people[key].first_name),
                url=frontend.catalogue(),
                is_read=True,
                read_at=people[key].date_joined + timedelta(hours=1),
                email_status=Notification.EmailStatus.NONE,
                dedup_key="demo:welcome",
                created_at=people[key].date_joined,
            )
            for key in ("student", "student2")
        ]
    )
    return {"people": len(people)}


def check_nobody_is_in_the_way() -> None:
    """Raises DemoError if somebody else has an email or a username of the demo's."""
    emails = [f"{person.key}@example.com" for person in PEOPLE]
    usernames = [person.username for person in PEOPLE if person.username]
    others = other_rows(User).alias(lower_email=Lower("email"), lower_username=Lower("username"))
    taken = others.filter(Q(lower_email__in=emails) | Q(lower_username__in=usernames)).first()
    if taken is not None:
        raise DemoError(f"{taken.email} ({taken.username or 'no username'}) has a name that the demo needs.")


def id_of(email: str) -> UUID | None:
    """Of the demo's person with this email."""
    keys = [person.key for person in PEOPLE if f"{person.key}@example.com" == email.lower()]
    return demo_id("user", keys[0]) if keys else None


def find_people() -> dict[str, User]:
    """The demo's people who are in the database, by key."""
    by_id = demo_rows(User).in_bulk()
    found = {person.key: by_id.get(demo_id("user", person.key)) for person in PEOPLE}
    return {key: user for key, user in found.items() if user is not None}


PALETTES = [
    ("#4f46e5", "#a78bfa", "#fde68a"), ("#0f766e", "#5eead4", "#fef3c7"), ("#be185d", "#fb7185", "#fff1f2"),
    ("#1d4ed8", "#67e8f9", "#fef9c3"), ("#b45309", "#fcd34d", "#fff7ed"), ("#166534", "#a3e635", "#f7fee7"),
    ("#7e22ce", "#f0abfc", "#faf5ff"), ("#334155", "#94a3b8", "#fda4af"),
]  # fmt: skip


def draw_avatar(key: str) -> Image.Image:
    """A little geometric landscape, the same for the same person."""
    chance = Random(key)
    dark, light, accent = chance.choice(PALETTES)
    side = 512
    picture = gradient((side, side), light, dark, angle=chance.randrange(20, 70))
    draw = ImageDraw.Draw(picture, "RGBA")
    x, y, radius = chance.randrange(150, 360), chance.randrange(120, 230), chance.randrange(60, 110)
    draw.ellipse((x - 2 * radius, y - 2 * radius, x + 2 * radius, y + 2 * radius), fill=(255, 255, 255, 26))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=accent)
    for depth in range(3):
        top, centre = 250 + 75 * depth + chance.randrange(40), chance.randrange(80, 430)
        shade = (15, 15, 40, 60 + 30 * depth)
        if chance.random() < 0.5:
            width = chance.randrange(260, 420)
            draw.polygon([(centre - width, side), (centre, top), (centre + width, side)], fill=shade)
        else:
            width = chance.randrange(240, 360)
            draw.ellipse((centre - width, top, centre + width, top + 2 * width), fill=shade)
    return picture.reduce(2)
