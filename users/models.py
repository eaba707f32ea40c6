from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Greatest, Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from common.email_addresses import AddressField, key_of_address, normal_address
from common.files import ImageField
from common.models import EditableRow, Language, Row
from common.sorting import SortKeyField
from common.text import normalised, plain

MODERATORS = "moderators"
MAX_PASSWORD_LENGTH = 128
INACTIVITY = "inactivity"  # the reason of deactivation of people who did not visit us


def validate_time_zone(value: str) -> None:
    """An IANA name, such as Europe/Moscow."""
    if value not in available_timezones():
        raise ValidationError(_("There is no such time zone."), code="unknown_time_zone")


def default_time_zone() -> str:
    return settings.TIME_ZONE


def normal_handle(value: str) -> str:
    """A handle in its one spelling: letters of full width, say, are those that they look like."""
    return plain(normalised(value))


def normal_password(value: str | None) -> str | None:
    """The characters of a password, however a keyboard has composed them (NIST SP 800-63B, 3.1.1.2)."""
    return value if value is None else plain(normalised(value))


class HandleField(models.CharField):
    """A column of handles, in their one spelling."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normal_handle(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(super().get_prep_value(value))


class UserQuerySet(models.QuerySet["User"]):
    def with_email(self, email: str) -> "UserQuerySet":
        """Whoever has this address, however it is spelt."""
        return self.with_email_in([email])

    def with_username(self, username: str) -> "UserQuerySet":
        """Whoever has this handle, compared without case."""
        return self.alias(lower_username=Lower("username")).filter(lower_username=normal_handle(username).lower())

    def for_request(self) -> "UserQuerySet":
        """With all that permissions ask of the caller, so that a request loads its user in one query."""
        in_group = User.groups.through.objects.filter(user=OuterRef("pk"), group__name=MODERATORS)
        return self.annotate(in_moderators=Exists(in_group))

    def visible_to(self, user: "User") -> "UserQuerySet":
        """Whose profile the user may open: everyone active; those who left or sleep are for staff alone."""
        if user.is_moderator or user.is_staff:
            return self
        return self.filter(is_active=True)

    def listed_for(self, user: "User") -> "UserQuerySet":
        """Staff list everyone; others themselves and the people who teach a published course."""
        if user.is_moderator or user.is_staff:
            return self
        courses = User.courses.rel.related_model._base_manager.filter(owner=OuterRef("pk"), status="published")
        return self.filter(Q(pk=user.pk) | Exists(courses), is_active=True)

    def with_email_in(self, emails: Iterable[str]) -> "UserQuerySet":
        """Whoever has one of these addresses, however they are spelt."""
        keys = {key_of_address(email) for email in emails}
        return self.alias(lower_email=Lower("email")).filter(lower_email__in=keys)

    def who_may_reset(self) -> "UserQuerySet":
        """Who may set a new password by letter: everyone active, and those asleep because they did not visit us.
        Whoever an admin put to sleep, or who left, stays away."""
        return self.filter(Q(is_active=True) | Q(deactivation_reason=INACTIVITY))

    def inactive_since(self, moment: Any) -> "UserQuerySet":
        """Active people whose last visit, the latest of login, token refresh and joining, was before the moment.

        Staff and superusers are never among them.
        """
        last_visit = Greatest(
            Coalesce("last_login", F("date_joined")), Coalesce("last_seen_at", F("date_joined")), "date_joined"
        )
        return (
            self.filter(is_active=True, is_superuser=False)
            .exclude(role=User.Role.ADMIN)
            .alias(last_visit=last_visit)
            .filter(last_visit__lt=moment)
        )


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        return normal_address(email or "")

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"role": User.Role.ADMIN, "is_superuser": True, **fields})

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.with_email(email or "").get()


class User(AbstractBaseUser, PermissionsMixin, EditableRow):
    """A person. Login is by email; `username` is a public handle and never a credential."""

    class Role(models.TextChoices):
        STUDENT = "student", _("Student")
        TEACHER = "teacher", _("Teacher")
        ADMIN = "admin", _("Admin")

    email = AddressField(_("email"))
    username = HandleField(
        _("username"),
        max_length=30,
        null=True,
        blank=True,
        # ASCII alone: databases disagree on the lower case of other letters, and look-alikes would pass for another.
        validators=[
            RegexValidator(r"^[A-Za-z0-9_.-]{3,30}\Z", _("3 to 30 letters, digits, dots, dashes and underscores."))
        ],
    )
    first_name = models.CharField(_("first name"), max_length=100, blank=True)
    last_name = models.CharField(_("last name"), max_length=100, blank=True)
    name_key = SortKeyField("last_name", "first_name")
    phone = models.CharField(
        _("phone"),
        max_length=20,
        blank=True,
        validators=[RegexValidator(r"^\+?[0-9 ()-]{5,20}\Z", _("A phone number, such as +7 900 123-45-67."))],
    )
    city = models.CharField(_("city"), max_length=100, blank=True)
    avatar = ImageField(_("avatar"), upload_to="public/avatars", blank=True)
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.STUDENT)
    language = models.CharField(_("language"), max_length=2, choices=Language.choices, default=Language.RUSSIAN)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default=default_time_zone, validators=[validate_time_zone]
    )
    email_verified_at = models.DateTimeField(_("email verified at"), null=True, blank=True)
    pending_email = AddressField(_("new email, until it is verified"), blank=True, editable=False)
    last_seen_at = models.DateTimeField(_("last token refresh"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    deactivated_at = models.DateTimeField(_("deactivated at"), null=True, blank=True)
    deactivation_reason = models.CharField(_("reason of deactivation"), max_length=50, blank=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now, editable=False)
    token_version = models.PositiveIntegerField(
        default=0, editable=False, help_text=_("Access tokens of an earlier version are refused.")
    )

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("-date_joined", "-id")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="users_email_unique"),
            models.UniqueConstraint(Lower("username"), name="users_username_unique"),
        ]
        indexes = [
            models.Index(fields=["date_joined"]),
            models.Index(fields=["last_login"], condition=Q(is_active=True), name="users_active_last_login"),
        ]

    def __str__(self) -> str:
        return self.email

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """Django's name for what `clean` does to the field that people log in by."""
        return normal_address(username)

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(normal_password(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        return super().check_password(normal_password(raw_password))  # type: ignore[arg-type] # takes None, too

    @property
    def is_staff(self) -> bool:
        """Django's name for the admin role; superusers are admins whatever their role says."""
        return self.role == self.Role.ADMIN or self.is_superuser

    @is_staff.setter
    def is_staff(self, value: bool) -> None:
        if value:
            self.role = self.Role.ADMIN
        elif self.role == self.Role.ADMIN:
            self.role = self.Role.STUDENT

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Admins may do everything in Django admin; what only superusers may do, its pages say themselves."""
        return (self.is_active and self.is_staff) or super().has_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        return (self.is_active and self.is_staff) or super().has_module_perms(app_label)

    @property
    def is_moderator(self) -> bool:
        if not hasattr(self, "in_moderators"):
            self.in_moderators = self.groups.filter(name=MODERATORS).exists()
        return self.in_moderators

    @property
    def may_edit_all_content(self) -> bool:
        return self.is_staff or self.is_moderator

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def get_short_name(self) -> str:
        return self.first_name or self.email

    def deactivate(self, reason: str) -> None:
        """Refuses every login and token from now on."""
        self.is_active = False
        self.deactivated_at = timezone.now()
        self.deactivation_reason = reason
        self.save(update_fields=["is_active", "deactivated_at", "deactivation_reason", "updated_at"])
        self.end_every_session()

    def activate(self) -> None:
        self.is_active = True
        self.deactivated_at = None
        self.deactivation_reason = ""
        self.save(update_fields=["is_active", "deactivated_at", "deactivation_reason", "updated_at"])

    def end_every_session(self) -> None:
        """Refuses every token and every session of the admin pages that has begun so far, and forgets from where the
        user has logged in. Counted by the database: two at once must not end at one number."""
        User.objects.filter(pk=self.pk).update(token_version=F("token_version") + 1, updated_at=timezone.now())
        TokenFamily.objects.filter(user=self).delete()
        KnownAddress.objects.filter(user=self).delete()
        self.refresh_from_db(fields=["token_version", "updated_at"])

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's: a session of its own, such as those of the admin pages, is alive while this is what it was."""
        of_password: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc] # the stubs leave it out
        known = f"{of_password}:{self.token_version}"
        return salted_hmac("users.session", known, secret=secret, algorithm="sha256").hexdigest()


class TokenFamily(Row):
    """All refresh tokens that descend from one login. Only the newest is alive; using an older one ends the family."""

    user = models.ForeignKey(User, models.CASCADE, related_name="token_families", verbose_name=_("user"))
    current_jti = models.CharField(max_length=64)
    expires_at = models.DateTimeField(_("expires at"), db_index=True)

    class Meta:
        verbose_name = _("sign-in")
        verbose_name_plural = _("sign-ins")

    def __str__(self) -> str:
        return f"{self.user_id} {self.created_at:%Y-%m-%d %H:%M}"


class SocialAccount(Row):
    """An account at another provider that opens the user's own here. Nothing of the provider's is kept but who it is:
    no token, no address."""

    class Provider(models.TextChoices):
        GOOGLE = "google", "Google"
        VK = "vk", "VK ID"
        YANDEX = "yandex", _("Yandex")

    user = models.ForeignKey(User, models.CASCADE, related_name="social_accounts", verbose_name=_("user"))
    provider = models.CharField(_("provider"), max_length=10, choices=Provider.choices)
    uid = models.CharField(_("id at the provider"), max_length=255)

    class Meta:
        verbose_name = _("sign-in by a provider")
        verbose_name_plural = _("sign-ins by providers")
        ordering = ("created_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["provider", "uid"], name="users_social_account_once"),
            models.CheckConstraint(condition=~Q(uid=""), name="users_social_account_has_uid"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.provider}"


class NotificationQuerySet(models.QuerySet["Notification"]):
    def shown_to(self, user: User) -> "NotificationQuerySet":
        """The user's notification centre."""
        return self.filter(recipient=user, in_app=True)

    def visible_to(self, user: User) -> "NotificationQuerySet":
        """One's own that are shown; admins, who edit them, see everyone's but what is a letter alone."""
        if user.is_staff:
            return self.filter(kind__in=Notification.Kind.values)
        return self.shown_to(user)

    def waiting_for_digest(self) -> "NotificationQuerySet":
        """What no daily letter has taken up yet."""
        return self.filter(email_status=Notification.EmailStatus.DIGEST, email_lease__isnull=True)

    def to_send(self) -> "NotificationQuerySet":
        """Letters that wait, and are in nobody's hand."""
        return self.filter(
            Q(email_status=Notification.EmailStatus.PENDING, email_lease__isnull=True),
            Q(email_not_before__isnull=True) | Q(email_not_before__lt=timezone.now()),
        )

    def lock(self) -> None:
        """In one order everywhere: two who have several of one person's in hand must not wait for each other. Within a
        transaction."""
        list(self.order_by("pk").select_for_update(no_key=True).values_list("pk"))

    def told_by(self, digests: Iterable["Notification"]) -> "NotificationQuerySet":
        """What these letters tell of, and has not been sent."""
        people = {digest.pk: digest.recipient_id for digest in digests}
        return self.filter(
            recipient__in=people.values(), email_status=Notification.EmailStatus.DIGEST, email_lease__in=people.keys()
        )

    def to_send_by(self, lease: UUID | None) -> "NotificationQuerySet":
        """Letters in the hand of the worker that holds this lease."""
        return self.filter(email_lease=lease, email_status=Notification.EmailStatus.PENDING)


class Notification(Row):
    """Something a person is told, and at the same time the outbox of letters.

    `dedup_key` makes writing one idempotent: a task that runs twice notifies once.
    """

    class Kind(models.TextChoices):
        COURSE_UPDATED = "course_updated", _("Course updated")
        ENROLLED = "enrolled", _("Enrolled")
        SUBMISSION_GRADED = "submission_graded", _("Submission graded")
        SUBMISSION_RETURNED = "submission_returned", _("Submission returned")
        COMMENT_ADDED = "comment_added", _("Comment added")
        CERTIFICATE_ISSUED = "certificate_issued", _("Certificate issued")
        DUE_SOON = "due_soon", _("Due soon")
        PAYMENT_SUCCEEDED = "payment_succeeded", _("Payment succeeded")
        PAYMENT_REFUNDED = "payment_refunded", _("Payment refunded")
        MESSAGE_RECEIVED = "message_received", _("Message received")
        ACCOUNT_DEACTIVATED = "account_deactivated", _("Account deactivated")
        ANNOUNCEMENT = "announcement", _("Announcement")

    class EmailStatus(models.TextChoices):
        NONE = "none", _("No letter")
        PENDING = "pending", _("Pending")
        DIGEST = "digest", _("Waits for the daily digest")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")

    # Kinds that are letters alone: nobody has preferences for them, and nobody sees them in the notification centre.
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a kind
    EMAIL_VERIFICATION = "email_verification"
    EMAIL_CHANGED = "email_changed"
    SIGN_IN_ADDED = "sign_in_added"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind
    SIGNED_OUT = "signed_out"
    DIGEST = "digest"

    # Of these, letters without a link of their own lead to a page where providers' accounts are unlinked.
    TELL_OF_SIGN_INS = (SIGN_IN_ADDED, PASSWORD_CHANGED, SIGNED_OUT)

    LIMITED = frozenset(Kind.values) - {Kind.ACCOUNT_DEACTIVATED.value}
    # Kinds that only ask their recipient to open something: without it, there is nothing to say.
    INVITATIONS = frozenset({Kind.COURSE_UPDATED, Kind.DUE_SOON})

    RETRY_AFTER = timedelta(minutes=2)
    MAX_ATTEMPTS = 10

    # Two of the indexes below begin with it.
    recipient = models.ForeignKey(
        User, models.CASCADE, related_name="notifications", db_index=False, verbose_name=_("recipient")
    )
    kind = models.CharField(_("kind"), max_length=30, choices=Kind.choices)
    subject = models.CharField(_("subject"), max_length=255)
    message = models.TextField(_("message"))
    url = models.CharField(_("link"), max_length=500, blank=True)
    in_app = models.BooleanField(_("shown in the notification centre"), default=True)
    is_read = models.BooleanField(_("read"), default=False)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)
    email_status = models.CharField(
        _("letter"), max_length=10, choices=EmailStatus.choices, default=EmailStatus.PENDING
    )
    email_to = models.EmailField(_("address, if not the recipient's own"), blank=True)
    email_sent_at = models.DateTimeField(_("letter sent at"), null=True, blank=True)
    email_attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    email_not_before = models.DateTimeField(null=True, blank=True, editable=False)
    email_lease = models.UUIDField(null=True, blank=True, editable=False)
    email_error = models.CharField(_("last error"), max_length=255, blank=True)
    dedup_key = models.CharField(max_length=120)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(fields=["recipient", "dedup_key"], name="users_notification_once"),
        ]
        indexes = [
            models.Index(fields=["recipient", "-created_at", "-id"]),
            models.Index(
                fields=["recipient"], condition=Q(is_read=False, in_app=True), name="users_notification_unread"
            ),
            models.Index(fields=["recipient"], condition=Q(email_status="digest"), name="users_notification_digest"),
            models.Index(Lower("email_to"), condition=~Q(email_to=""), name="users_notification_email_to"),
            # In the order in which they are sent: a chunk is cut off without sorting all that wait.
            models.Index(fields=["created_at"], condition=Q(email_status="pending"), name="users_notification_to_send"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"

    @property
    def address(self) -> str:
        """Where its letter goes."""
        return self.email_to or self.recipient.email

    @property
    def is_letter_only(self) -> bool:
        """Of a kind that is no member of `Kind`."""
        return self.kind not in Notification.Kind.values

    @property
    def must_be_sent(self) -> bool:
        """About the account itself: whatever its recipient prefers, and to an address that is not verified, too. Such a
        letter has no link to unsubscribe."""
        return self.kind != Notification.DIGEST and not self.is_limited

    @property
    def is_limited(self) -> bool:
        """Of a kind of which few letters an hour go to one person."""
        return self.kind in Notification.LIMITED


class EmailLeaseQuerySet(models.QuerySet["EmailLease"]):
    def expired(self) -> "EmailLeaseQuerySet":
        return self.filter(expires_at__lt=timezone.now())


class EmailLease(Row):
    """The letters that one worker has in hand: their `email_lease` is its id. They are sent in the order of their ids.

    Without the lease they are nobody's: it ends when a worker is done with them, or gives no sign of life.
    """

    # Longer than a mail server may take over one letter: four answers, each within `EMAIL_TIMEOUT`.
    LIFETIME = timedelta(seconds=60)

    expires_at = models.DateTimeField()
    # When the oldest and the newest of them were written: where to look for them.
    oldest = models.DateTimeField()
    newest = models.DateTimeField()
    done_up_to = models.UUIDField(null=True)

    objects = EmailLeaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("lease of letters")
        verbose_name_plural = _("leases of letters")

    def __str__(self) -> str:
        return f"{self.expires_at:%Y-%m-%d %H:%M:%S}"


class NotificationPreference(EditableRow):
    """How somebody wants to hear of one kind of thing. Without a row: in the app, and by a letter at once."""

    class Email(models.TextChoices):
        IMMEDIATE = "immediate", _("At once")
        DAILY = "daily", _("In a daily digest")
        NEVER = "never", _("Never")

    user = models.ForeignKey(User, models.CASCADE, related_name="notification_preferences", verbose_name=_("user"))
    kind = models.CharField(_("kind"), max_length=30, choices=Notification.Kind.choices)
    in_app = models.BooleanField(_("in the notification centre"), default=True)
    email = models.CharField(_("letter"), max_length=10, choices=Email.choices, default=Email.IMMEDIATE)

    class Meta:
        verbose_name = _("notification preference")
        verbose_name_plural = _("notification preferences")
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="users_preference_once")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.kind}"


class KnownAddress(Row):
    """An address that somebody has logged in from: guesses from elsewhere do not lock them out there."""

    LIFETIME = timedelta(days=180)

    user = models.ForeignKey(User, models.CASCADE, related_name="known_addresses", verbose_name=_("user"))
    address = models.GenericIPAddressField(_("address"))
    last_login_at = models.DateTimeField(_("last login"), default=timezone.now)

    class Meta:
        verbose_name = _("known address")
        verbose_name_plural = _("known addresses")
        constraints = [models.UniqueConstraint(fields=["user", "address"], name="users_known_address_once")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.address}"


class PasswordResetRequest(Row):
    """Somebody asked for a letter to this address, whether it is anybody's or not. A worker answers and deletes it: the
    request itself does the same, and takes the same time, for every address."""

    email = AddressField(_("email"))

    class Meta:
        verbose_name = _("request to reset a password")
        verbose_name_plural = _("requests to reset a password")

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M}"
