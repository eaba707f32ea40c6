"""`manage.py write_problems`: writes docs/problems.md anew."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import translation

from common.problems import document

TARGET = Path(settings.BASE_DIR) / "docs" / "problems.md"


class Command(BaseCommand):
    help = "Writes docs/problems.md from common/problems.py."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override("en"):
            TARGET.write_text(document())
