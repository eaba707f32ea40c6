from django.apps import AppConfig
from django.contrib.admin import apps as admin


class CommonConfig(AppConfig):
    default = True
    name = "common"


class SiteConfig(admin.AdminConfig):
    default = False
    default_site = "common.admin.Site"
