from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AssignmentsConfig(AppConfig):
    name = "assignments"
    verbose_name = _("Studying")

    def ready(self) -> None:
        from assignments import demo, exports
        from assignments.services import certificates, outline, submissions
        from assignments.views import learning, quizzes
        from common import registry

        registry.anonymisers.register(certificates.anonymise_student)
        registry.authored.register(quizzes.authored_part)
        registry.dashboards.register(learning.dashboard_part)
        registry.exports.register(exports.held_on)
        registry.link_checks.register(submissions.needless_reminders)
        registry.outline_items.register(outline.items_of)
        registry.demo_loaders.register(demo.load)
        registry.demo_clearers.register(demo.clear)
        registry.demo_strangers.register(demo.strangers)
