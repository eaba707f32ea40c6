"""A stand-in for Stripe: its API, its payment page and its webhooks, for development and tests.

It imports nothing of Django and nothing of the project, moves no money, and refuses live keys.
"""

from .server import StandIn

__all__ = ["StandIn"]
