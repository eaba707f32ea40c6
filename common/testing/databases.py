"""Marks for tests that make sense on one database only. The suite runs on both."""

import pytest
from django.db import connection

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer: nothing races")
# For what starts processes of its own, with their own database: doing it twice shows nothing new.
once = pytest.mark.skipif(connection.vendor == "postgresql", reason="has been shown on SQLite")
