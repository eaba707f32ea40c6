import pytest
from django.utils.module_loading import import_string

from common import background


@pytest.fixture
def carry_out(monkeypatch, django_capture_on_commit_callbacks):
    """`with carry_out():` at its end happens what the broker was asked for inside."""
    monkeypatch.setattr(background, "_publish", lambda task, args: import_string(task)(*args))
    return lambda: django_capture_on_commit_callbacks(execute=True)
