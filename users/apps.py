from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UsersConfig(AppConfig):
    name = "users"
    verbose_name = _("People")

    def ready(self) -> None:
        from common import registry
        from users import demo, exports, notifications

        registry.exports.register(exports.held_on)
        registry.counters.register(notifications.counters)
        registry.demo_loaders.register(demo.load)
        registry.demo_clearers.register(demo.clear)
        registry.demo_strangers.register(demo.strangers)
