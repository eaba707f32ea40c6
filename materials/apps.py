from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MaterialsConfig(AppConfig):
    name = "materials"
    verbose_name = _("Courses")

    def ready(self) -> None:
        from common import registry
        from materials import demo, exports, indexing, reach, services

        registry.anonymisers.register(services.anonymise_author)
        registry.renamed.register(indexing.refresh_of_owner)
        registry.exports.register(exports.held_on)
        registry.link_checks.register(reach.closed_links)
        registry.demo_loaders.register(demo.load)
        registry.demo_clearers.register(demo.clear)
        registry.demo_strangers.register(demo.strangers)
