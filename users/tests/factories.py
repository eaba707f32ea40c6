from typing import Any

import factory
from django.contrib.auth.models import Group
from django.utils import timezone

from users.models import MODERATORS, Notification, NotificationPreference, SocialAccount, User

PASSWORD = "correct-horse-7"


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"user{n}@test.io")
    first_name = factory.Sequence(lambda n: f"Name{n}")
    password = factory.django.Password(PASSWORD)
    email_verified_at = factory.LazyFunction(timezone.now)


class TeacherFactory(UserFactory):
    role = User.Role.TEACHER


class AdminFactory(UserFactory):
    role = User.Role.ADMIN


class ModeratorFactory(UserFactory):
    @factory.post_generation
    def group(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        self.groups.add(Group.objects.get_or_create(name=MODERATORS)[0])


class NotificationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Notification

    recipient = factory.SubFactory(UserFactory)
    kind = Notification.Kind.ANNOUNCEMENT
    subject = "Subject"
    message = "Message"
    dedup_key = factory.Sequence(lambda n: f"key{n}")


class PreferenceFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = NotificationPreference

    user = factory.SubFactory(UserFactory)
    kind = Notification.Kind.ANNOUNCEMENT


class SocialAccountFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = SocialAccount

    user = factory.SubFactory(UserFactory)
    provider = SocialAccount.Provider.GOOGLE
    uid = factory.Sequence(str)
