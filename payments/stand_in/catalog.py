"""Products and prices: https://docs.stripe.com/api/products and https://docs.stripe.com/api/prices."""

import time
from decimal import Decimal
from typing import Any

from . import money
from .errors import ApiError, required
from .objects import new
from .store import Store
from .templates import Object

Origin = dict[str, Any]

# Named by the API, but they would change what is charged, which the stand-in does not do.
UNSUPPORTED_OF_PRICES = (
    "currency_options",
    "custom_unit_amount",
    "tiers",
    "tiers_mode",
    "transform_quantity",
)
UPDATABLE_OF_PRICES = ("active", "lookup_key", "metadata", "nickname", "tax_behavior")
PLAIN_OF_PRODUCTS = [
    "active",
    "description",
    "images",
    "marketing_features",
    "name",
    "package_dimensions",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
]


def create_product(store: Store, params: Object, origin: Origin) -> Object:
    id_ = params.get("id")
    if id_ in store.objects["product"]:
        raise ApiError("Product already exists.", code="resource_already_exists", param="id")
    values = {name: params[name] for name in PLAIN_OF_PRODUCTS if name in params}
    product = new("product", **values, metadata=merge({}, params.get("metadata", {})), updated=int(time.time()))
    product["id"] = id_ or product["id"]
    if "default_price_data" in params:
        price = _new_price(params["default_price_data"], product["id"], "default_price_data[")
        product["default_price"] = price["id"]
        store.add(price)
    store.add(product)
    store.emit("product.created", product, origin)
    return product


def update_product(store: Store, params: Object, origin: Origin, id_: str) -> Object:
    product = store.get("product", id_)
    if "default_price" in params:
        store.get("price", params["default_price"], param="default_price", status=400)
        product["default_price"] = params["default_price"]
    for name in PLAIN_OF_PRODUCTS:
        if name in params:
            unset: list[Any] | None = [] if name in ("images", "marketing_features") else None
            product[name] = unset if params[name] == "" else params[name]
    if "metadata" in params:
        product["metadata"] = merge(product["metadata"], params["metadata"])
    product["updated"] = int(time.time())
    store.add(product)
    store.emit("product.updated", product, origin)
    return product


def create_price(store: Store, params: Object, origin: Origin) -> Object:
    if "product_data" in params:
        if "product" in params:
            raise ApiError("You may only specify one of these parameters: product, product_data.", param="product")
        data = params["product_data"]
        product = create_product(store, {**data, "id": data.get("id")}, origin)["id"]
    elif "product" in params:
        product = store.get("product", params["product"], param="product", status=400)["id"]
    else:
        raise required("product")
    _free_lookup_key(store, params)
    price = store.add(_new_price(params, product))
    store.emit("price.created", price, origin)
    return price


def update_price(store: Store, params: Object, origin: Origin, id_: str) -> Object:
    """What was agreed on, the amount and the currency, cannot change: the parameters do not even name it."""
    price = store.get("price", id_)
    if "currency_options" in params:
        raise unsupported("currency_options")
    _free_lookup_key(store, params, id_)
    for name in UPDATABLE_OF_PRICES:
        if name in params and name != "metadata":
            price[name] = params[name]
    if "metadata" in params:
        price["metadata"] = merge(price["metadata"], params["metadata"])
    store.add(price)
    store.emit("price.updated", price, origin)
    return price


def inline_price(store: Store, data: Object, origin: Origin, at: str) -> Object:
    """The price of a line item's `price_data`: Stripe makes one that is inactive, so used once."""
    if "product" in data:
        product = store.get("product", data["product"], param=f"{at}[product]", status=400)["id"]
    elif "product_data" in data:
        product = create_product(store, {**data["product_data"], "active": False}, origin)["id"]
    else:
        raise required(f"{at}[product]")
    return store.add({**_new_price(data, product, f"{at}["), "active": False})


def merge(metadata: dict[str, str], changes: dict[str, str] | str) -> dict[str, str]:
    """Metadata after an update: an empty value unsets its key, an empty string unsets all."""
    if isinstance(changes, str):
        return {}
    return {key: value for key, value in (metadata | changes).items() if value}


def unsupported(param: str) -> ApiError:
    return ApiError(f"The Stripe stand-in does not do `{param}`; Stripe does.", param=param)


def known_currency(currency: str, param: str) -> str:
    """The currency in lower case. Raises ApiError when Stripe has no such currency."""
    if currency.lower() not in money.CURRENCIES:
        known = ", ".join(sorted(money.CURRENCIES))
        raise ApiError(
            f"Invalid currency: {currency.lower()}. Stripe currently supports these currencies: {known}",
            param=param,
        )
    return currency.lower()


def _new_price(params: Object, product: str, at: str = "") -> Object:
    """`at` is where the parameters stand: empty, or a path that ends in an opening bracket."""
    close = "]" if at else ""
    for name in UNSUPPORTED_OF_PRICES:
        if name in params:
            raise unsupported(f"{at}{name}{close}")
    currency = known_currency(params["currency"], f"{at}currency{close}")
    amount = _amount(params, at, close)
    if amount > money.maximum_amount(currency):
        most = money.plain(money.maximum_amount(currency), currency)
        raise ApiError(f"Amount must be no more than {most}", code="amount_too_large", param=f"{at}unit_amount{close}")
    recurring = params.get("recurring")
    plain = {name: params[name] for name in ("active", "lookup_key", "nickname", "tax_behavior") if name in params}
    return new(
        "price",
        **plain,
        currency=currency,
        metadata=merge({}, params.get("metadata", {})),
        product=product,
        type="recurring" if recurring else "one_time",
        recurring=recurring
        and {"interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed"} | recurring,
        unit_amount=amount,
        unit_amount_decimal=str(amount),
    )


def _amount(params: Object, at: str, close: str) -> int:
    """Minor units, of `unit_amount` or a whole `unit_amount_decimal`."""
    name = "unit_amount"
    if "unit_amount" in params:
        amount = Decimal(params["unit_amount"])
    elif "unit_amount_decimal" in params:
        name, amount = "unit_amount_decimal", params["unit_amount_decimal"]
    else:
        raise required(f"{at}unit_amount{close}")
    if amount < 0:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param=f"{at}{name}{close}")
    if amount != int(amount):
        raise unsupported(f"{at}{name}{close}")
    return int(amount)


def _free_lookup_key(store: Store, params: Object, taker: str | None = None) -> None:
    """A lookup key belongs to one price: taken from its holder on request, else refused."""
    if not params.get("lookup_key"):
        return
    for holder in store.objects["price"].values():
        if holder["lookup_key"] == params["lookup_key"] and holder["id"] != taker:
            if not params.get("transfer_lookup_key"):
                raise ApiError(
                    f"A price (`{holder['id']}`) already uses that lookup key.",
                    code="resource_already_exists",
                    param="lookup_key",
                )
            holder["lookup_key"] = None
