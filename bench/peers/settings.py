"""Settings of the Django peers: the product's database, models and keys, and otherwise what `startproject` writes."""

import os

from config import settings as product

SECRET_KEY = product.SECRET_KEY
ALLOWED_HOSTS = product.ALLOWED_HOSTS
DATABASES = product.DATABASES  # persistent connections included
INSTALLED_APPS = product.INSTALLED_APPS
AUTH_USER_MODEL = product.AUTH_USER_MODEL
SIMPLE_JWT = product.SIMPLE_JWT
DEFAULT_AUTO_FIELD = product.DEFAULT_AUTO_FIELD
DEFAULT_CURRENCY = product.DEFAULT_CURRENCY
MEDIA_ROOT = product.MEDIA_ROOT
MEDIA_URL = product.MEDIA_URL
USE_TZ = True
TIME_ZONE = "UTC"

ROOT_URLCONF = os.environ["BENCH_URLCONF"]
MIDDLEWARE = {
    "none": [],
    "product": product.MIDDLEWARE,
    "django": [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
}[os.environ["BENCH_MIDDLEWARE"]]
CONTENT_SECURITY_POLICY = product.CONTENT_SECURITY_POLICY
STATIC_URL = product.STATIC_URL

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 20,
}
