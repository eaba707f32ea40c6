"""The settings that tests run with: the product's, in an environment of their own, at the test client's address.

Nothing that starts pytest needs to know of it: pytest.ini names it, and it is read before anything of Django.
"""

import os

from common.testing import environment  # noqa: F401 - sets the environment that the settings are read from
from config.settings import *  # noqa: F403

BASE_URL = "http://testserver"

# What tests start as a process of its own starts as the product does.
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
