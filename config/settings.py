"""All settings, driven by the environment. `.env.example` documents every variable.

Nothing here asks which mode it is in: each feature has a default that needs no service, and a variable that names the
service to use instead.
"""

import hashlib
import os
import warnings
from datetime import timedelta
from pathlib import Path

import dj_database_url
import dotenv
from celery.schedules import crontab
from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from config.environment import (
    ConfigurationError,
    boolean,
    broker_address,
    choice_of,
    comma_separated,
    is_loopback,
    port,
    positive,
    read,
    redis_address,
    secret_key,
    some_of,
    throttle_rate,
    time_zone,
    url_is_loopback,
    warn,
    web_address,
    web_addresses,
    whole,
)

BASE_DIR = Path(__file__).resolve().parent.parent

# The environment wins over the file. ENV_FILE names another file; the tests name none.
dotenv.load_dotenv(BASE_DIR / os.environ.get("ENV_FILE", ".env"))

# --- The process -----------------------------------------------------------------------------------------------------

DEBUG: bool = read("DEBUG", False, boolean)
ALLOWED_HOSTS: list[str] = read("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], comma_separated)
HOST: str = read("HOST", "127.0.0.1")
PORT: int = read("PORT", 8000, port)
BASE_URL: str = read("BASE_URL", f"http://127.0.0.1:{PORT}", web_address)
FRONTEND_URL: str = read("FRONTEND_URL", BASE_URL, web_address)
# Whether nobody but this machine comes here. Only then does anything go that everybody knows: a published key, the demo
# with its password, the Stripe stand-in.
ON_LOOPBACK = url_is_loopback(BASE_URL) and all(is_loopback(host) for host in ALLOWED_HOSTS)

# State of the services that run embedded: the database file, broker folders, letters, logs. DATA_DIR moves media too.
DATA_DIR = Path(read("DATA_DIR", str(BASE_DIR / "var"))).absolute()
MEDIA_ROOT = DATA_DIR / "media" if os.environ.get("DATA_DIR", "").strip() else BASE_DIR / "media"
MEDIA_URL = "/media/"
for state_folder in (DATA_DIR, MEDIA_ROOT):
    try:
        state_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError("DATA_DIR", f"cannot be used: {error}") from None
SECRET_KEY: str = secret_key(on_loopback=ON_LOOPBACK, data_dir=DATA_DIR)

CORS_ALLOWED_ORIGINS: list[str] = read("CORS_ALLOWED_ORIGINS", [], web_addresses)
# On a developer's machine the front end may run on any port.
CORS_ALLOWED_ORIGIN_REGEXES = [r"^https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$"] if ON_LOOPBACK else []
CORS_ALLOW_HEADERS = [
    *default_headers, "accept-language", "cache-control", "idempotency-key", "if-match", "if-modified-since",
    "if-none-match", "range",
    "x-request-id", "traceparent", "tracestate", "baggage", "sentry-trace",
    # Resumable uploads, as the tus clients send them.
    "tus-resumable", "upload-length", "upload-metadata", "upload-offset", "upload-checksum", "upload-defer-length",
    "upload-concat", "x-http-method-override",
]  # fmt: skip
CORS_EXPOSE_HEADERS = [
    "Accept-Ranges", "Content-Disposition", "Content-Language", "Content-Length", "Content-Range", "ETag",
    "Idempotent-Replayed", "Last-Modified", "Location", "RateLimit", "RateLimit-Policy", "Retry-After",
    "WWW-Authenticate", "X-Request-ID",
    "Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm", "Upload-Offset",
    "Upload-Length", "Upload-Expires", "Upload-Metadata",
]  # fmt: skip
CSRF_TRUSTED_ORIGINS = [BASE_URL] if BASE_URL.startswith("https://") else []

INSTALLED_APPS = [
    "common.apps.SiteConfig",
    "users",  # before Django's own: of two commands of one name, that of the earlier app counts
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "csp",
    "django_celery_beat",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "rest_framework",
    "common",
    "materials",
    "payments",
    "assignments",
    "community",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "common.middleware.CacheControlMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "common.middleware.HostMiddleware",
    "common.middleware.DatabaseOutageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Data ------------------------------------------------------------------------------------------------------------


def database() -> dict:
    """DATABASE_URL, or DB_NAME and its companions, or a SQLite file."""
    if os.environ.get("DATABASE_URL", "").strip():
        try:
            config: dict = dict(dj_database_url.parse(read("DATABASE_URL")))
        except (ValueError, KeyError) as error:
            raise ConfigurationError("DATABASE_URL", f"is malformed: {error}") from None
    elif os.environ.get("DB_NAME", "").strip():
        config = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": read("DB_NAME"),
            "USER": read("DB_USER"),
            "PASSWORD": os.environ.get("DB_PASSWORD", ""),
            "HOST": read("DB_HOST", "localhost"),
            "PORT": str(read("DB_PORT", 5432, port)),
        }
    else:
        config = {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "db.sqlite3"}
    engine = config["ENGINE"].rpartition(".")[2]
    if engine not in {"postgresql", "sqlite3"}:
        raise ConfigurationError("DATABASE_URL", f"names {engine}: only postgres:// and sqlite:// are supported")
    if engine == "sqlite3":
        # WAL lets the worker write while the server reads. IMMEDIATE takes the write lock at the start of a
        # transaction: one that read first and wrote later would fail with "database is locked" instead of waiting.
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
        }
    else:
        if not config["NAME"]:
            raise ConfigurationError("DATABASE_URL", "names no database")
        # Persistent connections, checked before use: after a restart of the database the first request succeeds.
        config |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
        config["OPTIONS"] = {**config.get("OPTIONS", {}), "connect_timeout": 3}
    return config


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL: str = read("REDIS_URL", "", redis_address)
if not REDIS_URL and os.environ.get("REDIS_HOST", "").strip():
    REDIS_URL = f"redis://{read('REDIS_HOST')}:{read('REDIS_PORT', 6379, port)}/{read('REDIS_DB', 0, whole)}"

CACHES: dict[str, dict] = {
    "default": {
        "BACKEND": "common.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "lyceum",
        "OPTIONS": {"socket_timeout": 0.3, "socket_connect_timeout": 0.3},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10_000}}
}

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Without `collectstatic` the files are served from where the packages keep them.
WHITENOISE_USE_FINDERS = not STATIC_ROOT.exists()
if WHITENOISE_USE_FINDERS:
    warnings.filterwarnings("ignore", "No directory at", UserWarning)

MAX_JSON_BYTES = 2 * 1024 * 1024
MAX_FORM_BYTES = 512 * 1024
MAX_IMAGE_BYTES = 5 * 1024 * 1024
MAX_IMAGE_PIXELS = 25_000_000
MAX_DOCUMENT_BYTES = 20 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_JSON_BYTES
FILE_UPLOAD_PERMISSIONS = 0o644

# --- Language and time -----------------------------------------------------------------------------------------------

LANGUAGES = [("ru", _("Russian")), ("en", _("English"))]
LANGUAGE_CODE = read("LANGUAGE_CODE", "ru", choice_of("ru", "en"))
LOCALE_PATHS = [BASE_DIR / "common" / "locale"]
USE_I18N = True
TIME_ZONE: str = read("TIME_ZONE", "Europe/Moscow", time_zone)
USE_TZ = True

# --- People ----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["users.authentication.EmailBackend"]
PASSWORD_HASHERS = [
    "users.hashers.Argon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=read("ACCESS_TOKEN_MINUTES", 15, positive)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=read("REFRESH_TOKEN_DAYS", 30, positive)),
    "ALGORITHM": "HS256",
    "SIGNING_KEY": SECRET_KEY,
}
PASSWORD_RESET_TIMEOUT = 2 * 60 * 60  # seconds that the link in a letter works
EMAIL_KEY_LIFETIME = timedelta(days=3)
INACTIVITY_DAYS: int = read("INACTIVITY_DAYS", 30, positive)

# Sign-in by other providers: on where there is a key. The addresses can be pointed elsewhere (users.providers reads all
# of these by the library's names).
SOCIAL_AUTH_GOOGLE_OAUTH2_KEY: str = read("SOCIAL_AUTH_GOOGLE_OAUTH2_KEY", "")
SOCIAL_AUTH_GOOGLE_OAUTH2_SECRET: str = read("SOCIAL_AUTH_GOOGLE_OAUTH2_SECRET", "")
SOCIAL_AUTH_GOOGLE_OAUTH2_AUTHORIZATION_URL: str = read(
    "SOCIAL_AUTH_GOOGLE_OAUTH2_AUTHORIZATION_URL", "https://accounts.google.com/o/oauth2/v2/auth", web_address
)
SOCIAL_AUTH_GOOGLE_OAUTH2_ACCESS_TOKEN_URL: str = read(
    "SOCIAL_AUTH_GOOGLE_OAUTH2_ACCESS_TOKEN_URL", "https://oauth2.googleapis.com/token", web_address
)
SOCIAL_AUTH_GOOGLE_OAUTH2_USERINFO_URL: str = read(
    "SOCIAL_AUTH_GOOGLE_OAUTH2_USERINFO_URL", "https://openidconnect.googleapis.com/v1/userinfo", web_address
)
SOCIAL_AUTH_VK_ID_KEY: str = read("SOCIAL_AUTH_VK_ID_KEY", "")
# VK ID proves by PKCE alone who exchanges a code: its secret is not sent, and may be left out.
SOCIAL_AUTH_VK_ID_SECRET: str = read("SOCIAL_AUTH_VK_ID_SECRET", "")
SOCIAL_AUTH_VK_ID_AUTHORIZATION_URL: str = read(
    "SOCIAL_AUTH_VK_ID_AUTHORIZATION_URL", "https://id.vk.ru/authorize", web_address
)
SOCIAL_AUTH_VK_ID_ACCESS_TOKEN_URL: str = read(
    "SOCIAL_AUTH_VK_ID_ACCESS_TOKEN_URL", "https://id.vk.ru/oauth2/auth", web_address
)
SOCIAL_AUTH_VK_ID_USERINFO_URL: str = read(
    "SOCIAL_AUTH_VK_ID_USERINFO_URL", "https://id.vk.ru/oauth2/user_info", web_address
)
SOCIAL_AUTH_YANDEX_OAUTH2_KEY: str = read("SOCIAL_AUTH_YANDEX_OAUTH2_KEY", "")
SOCIAL_AUTH_YANDEX_OAUTH2_SECRET: str = read("SOCIAL_AUTH_YANDEX_OAUTH2_SECRET", "")
SOCIAL_AUTH_YANDEX_OAUTH2_AUTHORIZATION_URL: str = read(
    "SOCIAL_AUTH_YANDEX_OAUTH2_AUTHORIZATION_URL", "https://oauth.yandex.ru/authorize", web_address
)
SOCIAL_AUTH_YANDEX_OAUTH2_ACCESS_TOKEN_URL: str = read(
    "SOCIAL_AUTH_YANDEX_OAUTH2_ACCESS_TOKEN_URL", "https://oauth.yandex.ru/token", web_address
)
SOCIAL_AUTH_YANDEX_OAUTH2_USERINFO_URL: str = read(
    "SOCIAL_AUTH_YANDEX_OAUTH2_USERINFO_URL", "https://login.yandex.ru/info", web_address
)
if SOCIAL_AUTH_GOOGLE_OAUTH2_KEY and not SOCIAL_AUTH_GOOGLE_OAUTH2_SECRET:
    raise ConfigurationError("SOCIAL_AUTH_GOOGLE_OAUTH2_SECRET", "is missing: there is a key. See .env.example.")
if SOCIAL_AUTH_YANDEX_OAUTH2_KEY and not SOCIAL_AUTH_YANDEX_OAUTH2_SECRET:
    raise ConfigurationError("SOCIAL_AUTH_YANDEX_OAUTH2_SECRET", "is missing: there is a key. See .env.example.")
SOCIAL_AUTH_STATE_LIFETIME = 10 * 60  # seconds from leaving for the provider to coming back
SOCIAL_AUTH_REQUESTS_TIMEOUT = 5  # seconds, for each of the two requests to the provider
DEMO_PASSWORD: str = read("DEMO_PASSWORD", "lyceum-demo-2026")

# --- Courses ---------------------------------------------------------------------------------------------------------

COURSE_AUTHOR_ROLES: list[str] = read(
    "COURSE_AUTHOR_ROLES", ["student", "teacher", "admin"], some_of("student", "teacher", "admin")
)
UPDATE_MAIL_WINDOW = timedelta(hours=read("UPDATE_MAIL_WINDOW_HOURS", 4, positive))

COMPLETED_COURSE_DAYS: int = read("COMPLETED_COURSE_DAYS", 30, positive)

# --- Money -----------------------------------------------------------------------------------------------------------

CURRENCIES: list[str] = read("CURRENCIES", ["RUB", "USD", "EUR", "JPY"], comma_separated)
DEFAULT_CURRENCY: str = read("DEFAULT_CURRENCY", "RUB", choice_of(*CURRENCIES))
# Stripe's least charges, in major units; for currencies that are not named, Stripe's own refusal is the judge.
MINIMUM_CHARGES = {"RUB": "1", "USD": "0.50", "EUR": "0.50", "GBP": "0.30", "JPY": "50"}

STRIPE_STAND_IN_PORT: int = read("STRIPE_STAND_IN_PORT", 12111, port)
STRIPE_API_BASE: str = read("STRIPE_API_BASE", "", web_address)
STRIPE_SECRET_KEY: str = read("STRIPE_SECRET_KEY", "")
STAND_IN_KEY = "sk_test_stand_in"
if not ON_LOOPBACK and STRIPE_SECRET_KEY in {"", STAND_IN_KEY}:
    raise ConfigurationError(
        "STRIPE_SECRET_KEY", "is missing: the Stripe stand-in, which moves no money, is for this machine alone."
    )
# With neither an account nor an address to talk to, payments go to the bundled stand-in.
STRIPE_STAND_IN = not STRIPE_API_BASE and not STRIPE_SECRET_KEY
if STRIPE_STAND_IN:
    STRIPE_API_BASE = f"http://127.0.0.1:{STRIPE_STAND_IN_PORT}"
STRIPE_API_BASE = STRIPE_API_BASE or "https://api.stripe.com"
STRIPE_SECRET_KEY = STRIPE_SECRET_KEY or STAND_IN_KEY
# Two secrets, separated by a comma, while one replaces the other. The stand-in's own differs in every installation, so
# that nobody can sign events for one that forgot to configure Stripe. With none, for a first try with Stripe's test
# mode, webhooks are answered with 503 (payments.webhooks).
STRIPE_WEBHOOK_SECRETS: list[str] = read(
    "STRIPE_WEBHOOK_SECRET",
    []
    if STRIPE_API_BASE == "https://api.stripe.com"
    else ["whsec_" + hashlib.sha256(f"stripe-stand-in:{SECRET_KEY}".encode()).hexdigest()[:32]],
    comma_separated,
)
if not STRIPE_WEBHOOK_SECRETS:
    if "_live_" in STRIPE_SECRET_KEY:
        raise ConfigurationError("STRIPE_WEBHOOK_SECRET", "is missing: there is a live key. See .env.example.")
    warn("STRIPE_WEBHOOK_SECRET is missing: Stripe's webhooks are answered with 503 until it is set")
STRIPE_WEBHOOK_SECRET = STRIPE_WEBHOOK_SECRETS[0] if STRIPE_WEBHOOK_SECRETS else ""
STRIPE_TIMEOUT_SECONDS = 10
# Calls to Stripe at once in one process: fewer than it has threads, so that a Stripe that hangs leaves some for others.
STRIPE_MAX_CALLS: int = read("STRIPE_MAX_CALLS", 4, positive)
RECONCILE_AFTER_MINUTES: int = read("RECONCILE_AFTER_MINUTES", 10, positive)
REFUND_WINDOW_DAYS: int = read("REFUND_WINDOW_DAYS", 14, positive)
# Who sells, as receipts and credit notes name them.
SELLER_NAME: str = read("SELLER_NAME", "Lyceum")
SELLER_DETAILS: str = read("SELLER_DETAILS", "")

# --- Mail ------------------------------------------------------------------------------------------------------------

EMAIL_HOST: str = read("EMAIL_HOST", "")
EMAIL_BACKEND: str = read(
    "EMAIL_BACKEND",
    "django.core.mail.backends.smtp.EmailBackend" if EMAIL_HOST else "common.mail.FileBackend",
)
EMAIL_PORT: int = read("EMAIL_PORT", 25, port)
EMAIL_HOST_USER: str = read("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD: str = read("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS: bool = read("EMAIL_USE_TLS", False, boolean)
EMAIL_USE_SSL: bool = read("EMAIL_USE_SSL", False, boolean)
if EMAIL_USE_TLS and EMAIL_USE_SSL:
    raise ConfigurationError("EMAIL_USE_TLS", "and EMAIL_USE_SSL exclude each other")
EMAIL_TIMEOUT = 10
EMAIL_FILE_PATH = DATA_DIR / "mail"
DEFAULT_FROM_EMAIL: str = read("DEFAULT_FROM_EMAIL", "Lyceum <noreply@example.com>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Background work -------------------------------------------------------------------------------------------------

CELERY_BROKER_URL: str = read(
    "CELERY_BROKER_URL", REDIS_URL.replace("unix://", "redis+socket://") or "filesystem://localhost//", broker_address
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "common.scheduler:AdminKeepsScheduler"
# The scheduler looks at its table this often for what an admin changed, and wakes at least this often.
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
# When a task last ran is written at once: a scheduler that is killed does not repeat the day's tasks when it is back.
CELERY_BEAT_SYNC_EVERY = 1
# What is periodic goes by intervals, what belongs to a time of the day by crontabs: a crontab of every minute would
# pause for the hour that summer time repeats at its end.
EVERY_MINUTE = timedelta(minutes=1)
CELERY_BEAT_SCHEDULE = {
    "announce-pending-updates": {
        "task": "materials.tasks.announce_pending_updates",
        "schedule": EVERY_MINUTE,
    },
    "refresh-search": {
        "task": "materials.tasks.refresh_search",
        "schedule": EVERY_MINUTE,
    },
    "tidy-vocabulary": {
        "task": "materials.tasks.tidy_vocabulary",
        "schedule": crontab(hour="3", minute="50"),
    },
    "send-pending-emails": {
        "task": "users.tasks.send_pending_emails",
        "schedule": EVERY_MINUTE,
    },
    "send-daily-digests": {
        "task": "users.tasks.send_daily_digests",
        "schedule": crontab(hour="8", minute="0"),
    },
    "expire-enrollments": {
        "task": "materials.tasks.expire_enrollments",
        "schedule": crontab(hour="0", minute="10"),
    },
    "remove-completed-courses": {
        "task": "materials.tasks.remove_completed_courses",
        "schedule": crontab(hour="0", minute="20"),
    },
    "sweep-files": {
        "task": "common.tasks.sweep_files",
        "schedule": timedelta(hours=1),
    },
    "close-expired-attempts": {
        "task": "assignments.tasks.close_expired_attempts",
        "schedule": EVERY_MINUTE,
    },
    "complete-waiting-enrollments": {
        "task": "assignments.tasks.complete_waiting_enrollments",
        "schedule": EVERY_MINUTE,
    },
    "send-feedback-answers": {
        "task": "community.tasks.send_feedback_answers",
        "schedule": EVERY_MINUTE,
    },
    "tell-of-unread-messages": {
        "task": "community.tasks.tell_of_unread_messages",
        "schedule": EVERY_MINUTE,
    },
    "remind-due-assignments": {
        "task": "assignments.tasks.remind_due_assignments",
        "schedule": timedelta(hours=1),
    },
    "deactivate-inactive-users": {
        "task": "users.tasks.deactivate_inactive_users",
        "schedule": crontab(hour="2", minute="0"),
    },
    "flush-expired-tokens": {
        "task": "users.tasks.flush_expired_tokens",
        "schedule": crontab(hour="3", minute="30"),
    },
    "reconcile-pending-payments": {
        "task": "payments.tasks.reconcile_pending_payments",
        "schedule": timedelta(minutes=10),
    },
    "close-stale-payments": {
        "task": "payments.tasks.close_stale_payments",
        "schedule": EVERY_MINUTE,
    },
    "fetch-missed-events": {
        "task": "payments.tasks.fetch_missed_events",
        "schedule": timedelta(minutes=10),
    },
    "remind-pending-payments": {
        "task": "payments.tasks.remind_pending_payments",
        "schedule": crontab(hour="9", minute="0"),
    },
    "forget-old-records": {
        "task": "payments.tasks.forget_old_records",
        "schedule": crontab(hour="3", minute="40"),
    },
    "process-failed-webhook-events": {
        "task": "payments.tasks.process_failed_webhook_events",
        "schedule": EVERY_MINUTE,
    },
}
# What the publisher waits for a broker that is down or frozen (see common.background). A worker needs socket time-outs
# longer than its blocking poll, so these are given to the publisher's own connection only.
PUBLISH_TIMEOUT_SECONDS = 0.4
PUBLISH_PAUSE_SECONDS = 15
if CELERY_BROKER_URL.startswith("filesystem"):
    BROKER_DIR = DATA_DIR / "broker"
    for broker_folder in ("messages", "control"):
        (BROKER_DIR / broker_folder).mkdir(parents=True, exist_ok=True)
    # Folders have one reader: a single process that does one task after the other.
    CELERY_WORKER_POOL = "solo"
    CELERY_BROKER_TRANSPORT_OPTIONS: dict = {
        "data_folder_in": str(BROKER_DIR / "messages"),
        "data_folder_out": str(BROKER_DIR / "messages"),
        "control_folder": str(BROKER_DIR / "control"),
    }
elif CELERY_BROKER_URL.startswith(("redis", "rediss")):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600, "global_keyprefix": "lyceum:"}

# --- The API ---------------------------------------------------------------------------------------------------------


# A file for a database: whoever tries things out is many people from one address.
ON_A_LAPTOP = "sqlite3" in DATABASES["default"]["ENGINE"]


def rate(name: str, default: str) -> str | None:
    """A throttle's rate; None switches it off."""
    value: str = read(name, default, throttle_rate)
    return None if value == "off" else value


TEST_RUNNER = "common.testing.runner.PytestRunner"  # `manage.py test`

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["users.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["common.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "common.parsers.JSONParser",
        "common.parsers.MultiPartParser",
        "common.parsers.FormParser",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "common.renderers.LenientNegotiation",
    "DEFAULT_FILTER_BACKENDS": [
        "common.filters.StrictFilterBackend",
        "common.filters.WordFilter",
        "common.filters.StrictOrderingFilter",
    ],
    "DEFAULT_PAGINATION_CLASS": "common.paginators.PageNumberPagination",
    "PAGE_SIZE": 20,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": "common.metadata.Metadata",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": [
        "common.throttling.AnonRateThrottle",
        "common.throttling.UserRateThrottle",
        "common.throttling.ScopedRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": rate("THROTTLE_ANON", "200/min"),
        "user": rate("THROTTLE_USER", "1000/min"),
        "register": rate("THROTTLE_REGISTER", "200/hour" if ON_A_LAPTOP else "20/hour"),
        "login": rate("THROTTLE_LOGIN", "600/min" if ON_A_LAPTOP else "60/min"),
        "feedback": rate("THROTTLE_FEEDBACK", "5/hour"),
        "coupon": rate("THROTTLE_COUPON", "30/min"),
        "password_reset": rate("THROTTLE_PASSWORD_RESET", "60/hour"),
    },
    # How many proxies of ours stand in front: X-Forwarded-For is believed only as far as these wrote it.
    "NUM_PROXIES": read("NUM_PROXIES", 0, whole),
    # Left as datetimes here; the renderer writes them in UTC with a Z.
    "DATETIME_FORMAT": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    # Our `url` fields lead elsewhere: DRF would take one for the address of what has been created, and send it along.
    "URL_FIELD_NAME": "",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "common.handlers.ExceptionHandler",
    "EXCEPTION_FORMATTER_CLASS": "common.handlers.ProblemFormatter",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Lyceum",
    "DESCRIPTION": (
        "Backend of an online course platform. Sign in at `POST /api/auth/token/` and send the access token as "
        "`Authorization: Bearer …`. Every error is `application/problem+json` (RFC 9457) with a `code` to act on."
    ),
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": True, "docExpansion": "none", "filter": True},
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.schema.describe_errors",
        "common.schema.say_what_may_be_null",
        "config.compat_urls.mark_aliases",
    ],
    "ENUM_NAME_OVERRIDES": {
        "CourseStatusEnum": "materials.models.Course.Status",
        "CourseLevelEnum": "materials.models.Course.Level",
        "LanguageEnum": "common.models.Language",
        "RoleEnum": "users.models.User.Role",
        "NotificationKindEnum": "users.models.Notification.Kind",
        "SocialProviderEnum": "users.models.SocialAccount.Provider",
        "EmailPreferenceEnum": "users.models.NotificationPreference.Email",
        "PaymentStatusEnum": "payments.models.Payment.Status",
        "RefundStatusEnum": "payments.models.Refund.Status",
        "RefundRequestStatusEnum": "payments.models.RefundRequest.Status",
        "PaymentMethodEnum": "payments.models.Payment.Method",
        "EnrollmentStatusEnum": "materials.models.Enrollment.Status",
        "OutlineItemStateEnum": [
            (state, state)
            for state in ("not_started", "submitted", "returned", "graded", "in_progress", "passed", "failed")
        ],
        "SubmissionStatusEnum": "assignments.models.Submission.Status",
        "GradeStatusEnum": [("graded", "Graded"), ("returned", "Returned")],
        "CertificateStatusEnum": "assignments.models.Certificate.Status",
        "RevokedStatusEnum": [("revoked", "Revoked")],
        "VerificationStatusEnum": [("valid", "valid"), ("revoked", "revoked")],
        "AttemptStateEnum": "assignments.models.Attempt.State",
        "QuestionKindEnum": "assignments.models.Question.Kind",
        "RemainingKindEnum": [("lesson", "lesson"), ("assignment", "assignment"), ("quiz", "quiz")],
        "PostStatusEnum": "community.models.Post.Status",
        "FeedbackStatusEnum": "community.models.Feedback.Status",
        "GradebookItemKindEnum": [("assignment", "assignment"), ("quiz", "quiz")],
    },
}

SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # the email is unique without regard to case, by a constraint that this check does not see
    "models.W038",  # SQLite has no deferrable constraints; the course's lock keeps the places of lessons apart there
]

CSRF_FAILURE_VIEW = "common.handlers.csrf_failure"

# --- Safety ----------------------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# BASE_URL with https means that a proxy of ours ends TLS and says so in X-Forwarded-Proto.
if BASE_URL.startswith("https://"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

LOG_LEVEL = read("LOG_LEVEL", "INFO", choice_of("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"one_line": {"()": "common.middleware.OneLine"}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "malformed": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["one_line"]},
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR"},  # a 4xx is the caller's affair
        "django.security": {"handlers": ["malformed"], "propagate": False},
        "stripe": {"level": "WARNING"},
        "pyvips": {"level": "WARNING"},  # it tells of every step
    },
}
