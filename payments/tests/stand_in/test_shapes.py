"""Every answer has the fields and JSON types of Stripe's own published examples."""

import json
from pathlib import Path

import pytest

from .helpers import DECLINED, browse

SHAPES = json.loads(Path(__file__).with_name("stripe_shapes.json").read_text("utf-8"))
# Their keys are the shop's, the card's or the next step's, not the object's.
FREE = ("metadata", "last_payment_error", "next_action")
# Which events of changes have and the published example of a creation has not.
ADDED = ("event.data.previous_attributes",)


def differences(answer, example, path):
    """Where the two differ in keys or types. Null fits everything, as does an example that is empty."""
    if answer is None or example is None:
        return []
    if isinstance(answer, dict) and isinstance(example, dict):
        if not example:
            return []
        found = [f"{path}.{key}" for key in sorted(answer.keys() ^ example.keys())]
        shared = sorted((answer.keys() & example.keys()) - set(FREE))
        return found + [one for key in shared for one in differences(answer[key], example[key], f"{path}.{key}")]
    if isinstance(answer, list) and isinstance(example, list):
        return differences(answer[0], example[0], f"{path}[0]") if answer and example else []
    return [] if type(answer) is type(example) else [f"{path} is a {type(answer).__name__}"]


@pytest.fixture
def everything(client, server, control, new_session, paid):
    """One of each object that the API answers with, by where it is from."""
    open_session = new_session(customer_email="s@shop.test")
    browse(open_session.url, {"card_number": DECLINED})
    client.v1.refunds.create({"payment_intent": paid.payment_intent, "amount": 100})
    control("dispute", payment_intent=paid.payment_intent, outcome="open")
    names = (
        "products prices checkout/sessions payment_intents charges refunds disputes events".split()  # noqa: SIM905
    )
    headers = {"Authorization": "Bearer sk_test_x"}
    paths = [*(f"/v1/{name}" for name in names), f"/v1/checkout/sessions/{paid.id}/line_items"]
    found = {}
    for path in paths:
        answer = browse(f"{server.base}{path}?limit=100", headers=headers).json
        assert answer.keys() == {"object", "data", "has_more", "url"}
        found[path] = answer["data"]
    return found


def test_answers_have_stripes_shapes(everything):
    wrong = [
        f"{path}: {one}"
        for path, objects in everything.items()
        for made in objects
        for one in differences(made, SHAPES[made["object"]], made["object"])
        if one not in ADDED
    ]

    assert sorted(set(wrong)) == []


def test_every_kind_was_looked_at(everything):
    assert {made["object"] for objects in everything.values() for made in objects} == set(SHAPES)
