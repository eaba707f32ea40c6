from typing import Any

import factory
from django.utils import timezone

from community.models import Conversation, Feedback, Message, Participant, Post, PostTag
from community.models.conversations import pair_of
from community.services.blog import terms_of
from users.models import User
from users.tests.factories import AdminFactory, UserFactory


class PostFactory(factory.django.DjangoModelFactory):
    """Published a moment ago; `tags=[…]` files it, and it is found by its words."""

    class Meta:
        model = Post
        skip_postgeneration_save = True

    author = factory.SubFactory(AdminFactory)
    title = factory.Sequence(lambda n: f"Post {n}")
    slug = factory.Sequence(lambda n: f"post-{n}")
    body = "Some **text**"
    status = Post.Status.PUBLISHED
    published_at = factory.LazyFunction(timezone.now)

    @factory.post_generation
    def tags(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        for name in extracted or ():
            PostTag.objects.create(post=self, name=name)
        Post.objects.filter(pk=self.pk).update(terms=terms_of(self, list(extracted or ())))


class MessageFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Message

    text = "Hello"


class FeedbackFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Feedback

    name = "Anna"
    email = factory.Sequence(lambda n: f"anna{n}@test.io")
    subject = "A question"
    message = "What is it?"
    language = "en"


def conversation_of(one: User | None = None, other: User | None = None, *, texts: tuple[str, ...] = ()) -> Conversation:
    """Of the two, with these texts said in turn, beginning with the first; nothing is counted as unread."""
    people = [one or UserFactory(), other or UserFactory()]
    conversation = Conversation.objects.create(pair=pair_of(people[0].pk, people[1].pk))
    for user in people:
        Participant.objects.create(conversation=conversation, user=user)
    for place, text in enumerate(texts):
        message = MessageFactory(conversation=conversation, sender=people[place % 2], text=text)
        conversation.last_message_at = message.created_at
    conversation.save()
    return conversation
