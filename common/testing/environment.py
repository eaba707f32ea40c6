"""The environment that tests run in, whatever the developer's own is. Imported before the settings.

DATABASE_URL and REDIS_URL are passed through, so that the same tests run on PostgreSQL and Redis.
"""

import atexit
import os
import shutil
import tempfile

DATA_DIR = tempfile.mkdtemp(prefix="lyceum-tests-")
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)

os.environ |= {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": "tests-tests-tests-tests-tests-tests-tests-tests",
    "DATA_DIR": DATA_DIR,
    "BASE_URL": "http://localhost",
    "FRONTEND_URL": "https://lyceum.test",
    "CELERY_BROKER_URL": "memory://",
    "STRIPE_WEBHOOK_SECRET": "whsec_tests",
    "STRIPE_MAX_CALLS": "32",
    "LANGUAGE_CODE": "en",
    "TIME_ZONE": "Europe/Moscow",
    **{
        f"THROTTLE_{name}": "off"
        for name in ("ANON", "USER", "REGISTER", "LOGIN", "PASSWORD_RESET", "FEEDBACK", "COUPON")
    },
}
for name in ("DEBUG", "ALLOWED_HOSTS", "EMAIL_BACKEND", "EMAIL_HOST", "STRIPE_SECRET_KEY", "STRIPE_API_BASE"):
    os.environ.pop(name, None)
for name in [name for name in os.environ if name.startswith("SOCIAL_AUTH_")]:
    del os.environ[name]
