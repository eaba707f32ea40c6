from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CommunityConfig(AppConfig):
    name = "community"
    verbose_name = _("Community")

    def ready(self) -> None:
        from common import registry
        from community import demo, exports
        from community.services import conversations as conversation_services
        from community.services import feedback as feedback_services
        from community.views import blog

        registry.anonymisers.register(conversation_services.anonymise_writer)
        registry.anonymisers.register(feedback_services.anonymise_sender)
        registry.exports.register(exports.held_on)
        registry.counters.register(conversation_services.counters)
        registry.authored.register(blog.authored_part)
        registry.demo_loaders.register(demo.load)
        registry.demo_clearers.register(demo.clear)
        registry.demo_strangers.register(demo.strangers)
