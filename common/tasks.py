"""Background entry points. Each may run twice, at once, or be killed at any line."""

from celery import shared_task

from common import files


@shared_task
def sweep_files() -> int:
    """Every hour: deletes the files that no row holds any more."""
    return files.sweep()
