"""Run the Stripe stand-in until it is told to stop."""

import signal
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments.stand_in import StandIn

DEFAULT_PORT = 12111
LIVE_KEYS = ("sk_live_", "rk_live_")


class Command(BaseCommand):
    help = "Run a stand-in for Stripe: the API, the payment page and signed webhooks. No money moves."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        base_url = getattr(settings, "BASE_URL", None)
        data_dir = getattr(settings, "DATA_DIR", None)
        parser.add_argument(
            "--port",
            type=int,
            default=getattr(settings, "STRIPE_STAND_IN_PORT", DEFAULT_PORT),
            help="0 takes a free one (default: %(default)s)",
        )
        parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
        parser.add_argument(
            "--webhook-url",
            default=f"{base_url.rstrip('/')}/api/payments/webhook/" if base_url else "",
            help="where events are sent; empty sends none (default: %(default)s)",
        )
        parser.add_argument(
            "--public-base",
            default="",
            help="http(s)://host[:port] under which browsers reach the payment page (default: where it listens)",
        )
        # Not shown as a default: help texts end up in logs.
        parser.add_argument("--webhook-secret", help="default: STRIPE_WEBHOOK_SECRET")
        parser.add_argument(
            "--state",
            type=Path,
            default=Path(data_dir) / "stripe_stand_in.json" if data_dir else None,
            help="the file that survives restarts (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if getattr(settings, "STRIPE_SECRET_KEY", "").startswith(LIVE_KEYS):
            raise CommandError("STRIPE_SECRET_KEY is a live key: the Stripe stand-in works with test keys only.")
        secret = options["webhook_secret"] or getattr(settings, "STRIPE_WEBHOOK_SECRET", "")
        if options["webhook_url"] and not secret:
            raise CommandError("STRIPE_WEBHOOK_SECRET is empty: webhooks could not be signed.")
        if options["public_base"] and not options["public_base"].startswith(("http://", "https://")):
            raise CommandError("--public-base does not start with http:// or https://")
        host, port = options["host"], options["port"]
        try:
            server = StandIn(
                port, host, options["webhook_url"], secret, options["state"], public_base=options["public_base"]
            )
        except (OSError, OverflowError) as error:
            raise CommandError(f"The Stripe stand-in cannot listen on {host}:{port}: {error}") from error

        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        with server:
            self.stdout.write(f"Stripe stand-in: {server.base}")
            self.stdout.flush()
            stop.wait()
