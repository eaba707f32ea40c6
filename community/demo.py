"""The demo's community: posts, a conversation of a student with a teacher, and feedback."""

from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from common.demo import delete_demo_rows, demo_id, gradient, other_rows, save_demo_rows, save_picture
from community.models import Conversation, Feedback, FeedbackAnswer, Message, Participant, Post, PostTag
from community.models.conversations import pair_of
from community.services.blog import terms_of
from community.slugs import slug_of
from users.models import User


class Written(NamedTuple):
    key: str
    author: str
    title: str
    tags: list[str]
    days_ago: int | None  # None: a draft; below zero: yet to come
    colours: tuple[str, str]
    body: str


POSTS = [
    Written("hello", "admin", "Добро пожаловать в блог", ["новости"], 60, ("#22577a", "#57cc99"), """\
Здесь мы рассказываем, что нового на платформе, и делимся тем, что помогает учиться.

- Новые курсы и важные обновления
- Советы преподавателей
- Ответы на частые вопросы

Вопрос, которого здесь нет? Напишите нам через **форму обратной связи**."""),
    Written("evenings", "moderator", "Как учиться по вечерам и не бросить", ["советы", "учёба"], 21,
            ("#3d348b", "#f7b801"), """\
Большинство наших студентов занимаются после работы. Вот что они говорят о том, как не бросить.

## Двадцать минут лучше, чем ничего

Короткое занятие **каждый день** даёт больше, чем три часа в воскресенье.

1. Выберите час и место
2. Уберите телефон
3. Остановитесь на интересном: завтра будет легче начать

> Я ставлю чайник, открываю урок, и пока чай остывает, урок пройден.

| План | Минут в день |
|---|---|
| Спокойный | 20 |
| Обычный | 40 |
| К экзамену | 90 |"""),
    Written("python", "admin", "Новые задания в курсе «Основы Python»", ["новости", "python"], 5,
            ("#0b525b", "#ffd166"), """\
В курсе появились задания с проверкой преподавателем. Первое — калькулятор скидок:

```python
def discount(total):
    return 0.10 if total > 5000 else 0.05
```

Сдавайте, получайте отзыв, исправляйте и сдавайте снова."""),
    Written("later", "moderator", "Что нас ждёт весной", ["новости"], -30, ("#7209b7", "#4cc9f0"), """\
Этот текст появится сам, когда придёт его время."""),
    Written("draft", "moderator", "Черновик: интервью с преподавателем", ["люди"], None, ("#6c757d", "#dee2e6"), """\
Вопросы готовы, ответы ещё нет."""),
]  # fmt: skip

# Who says what, so many hours ago; the teacher has not read the last line yet.
SAID = [
    ("student", "Здравствуйте! В третьем уроке скидка считается от суммы до доставки или после?", 50),
    ("teacher", "Добрый день! До доставки: скидка только на товары.", 48),
    ("student", "Понял, спасибо. А если товаров нет совсем?", 3),
]


def strangers() -> dict[str, int]:
    models = {"posts": Post, "messages": Message, "feedback": Feedback}
    return {name: other_rows(model).count() for name, model in models.items()}


def clear() -> None:
    for model in (FeedbackAnswer, Feedback, Message, Participant, Conversation, PostTag, Post):
        delete_demo_rows(model)


def load(people: dict[str, User]) -> dict[str, int]:
    posts = load_posts(people)
    load_conversation(people)
    load_feedback(people)
    return {"posts": posts, "messages": len(SAID)}


def load_posts(people: dict[str, User]) -> int:
    now = timezone.now()
    posts, tags = [], []
    for written in POSTS:
        published_at = now - timedelta(days=written.days_ago) if written.days_ago is not None else None
        written_at = min(published_at or now, now) - timedelta(days=1)
        pk = demo_id("post", written.key)
        post = Post(
            id=pk,
            author=people[written.author],
            title=written.title,
            slug=slug_of(written.title),
            body=written.body,
            cover=save_picture(f"public/blog/{pk}.webp", gradient((1200, 630), *written.colours)),
            status=Post.Status.DRAFT if published_at is None else Post.Status.PUBLISHED,
            published_at=published_at,
            created_at=written_at,
        )
        post.terms = terms_of(post, written.tags)
        posts.append(post)
        tags += [
            PostTag(id=demo_id("tag", written.key, name), post=post, name=name, created_at=written_at)
            for name in written.tags
        ]
    save_demo_rows(posts, overwrite=True)
    save_demo_rows(tags)
    return len(posts)


def load_conversation(people: dict[str, User]) -> None:
    now = timezone.now()
    student, teacher = people["student"], people["teacher"]
    said_at = [now - timedelta(hours=hours) for _who, _text, hours in SAID]
    conversation = Conversation(
        id=demo_id("conversation", "student"),
        pair=pair_of(student.pk, teacher.pk),
        last_message_at=said_at[-1],
        created_at=said_at[0],
    )
    save_demo_rows([conversation], overwrite=True)
    unread = {"unread_count": 1, "unread_since": said_at[-1], "told_at": said_at[-1]}
    sides = [(student, said_at[-1], {}), (teacher, said_at[1], unread)]
    save_demo_rows(
        [
            Participant(
                id=demo_id("participant", user.email), conversation=conversation, user=user, last_read_at=read_at,
                created_at=said_at[0], **counted,
            )
            for user, read_at, counted in sides
        ],
        overwrite=True,
    )  # fmt: skip
    save_demo_rows(
        [
            Message(
                id=demo_id("message", str(place)), conversation=conversation, sender=people[who], text=text,
                created_at=said_at[place],
            )
            for place, (who, text, _hours) in enumerate(SAID)
        ]
    )  # fmt: skip


def load_feedback(people: dict[str, User]) -> None:
    now = timezone.now()
    asked_at, answered_at = now - timedelta(days=9), now - timedelta(days=8)
    answer = "Здравствуйте, Ольга! Да, сертификат выдаётся сразу после итогового теста; он в вашем кабинете."
    answered = Feedback(
        id=demo_id("feedback", "olga"), user=people["olga"], name="Ольга", email=people["olga"].email,
        subject="Когда придёт сертификат?", message="Я прошла курс о финансах. Нужно ли что-то ещё?",
        status=Feedback.Status.ANSWERED, answer=answer, answered_at=answered_at, answered_by=people["admin"],
        created_at=asked_at, updated_at=answered_at,
    )  # fmt: skip
    new = Feedback(
        id=demo_id("feedback", "guest"), name="Сергей", email="sergey@example.com",
        subject="Корпоративное обучение", message="Можно ли оплатить курсы для отдела из двенадцати человек?",
        created_at=now - timedelta(hours=20),
    )  # fmt: skip
    save_demo_rows([answered, new], overwrite=True)
    save_demo_rows(
        [
            FeedbackAnswer(
                id=demo_id("answer", "olga"), feedback=answered, author=people["admin"], text=answer,
                sent_at=answered_at, attempts=1, created_at=answered_at,
            )
        ]
    )  # fmt: skip
