from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Payments")

    def ready(self) -> None:
        from common import registry
        from payments import demo, exports, serializers
        from payments.services.refunds import anonymise_buyer

        registry.anonymisers.register(anonymise_buyer)
        registry.exports.register(exports.held_on)
        registry.profile_fields.register(serializers.profile_fields)
        registry.demo_loaders.register(demo.load)
        registry.demo_clearers.register(demo.clear)
        registry.demo_strangers.register(demo.strangers)
