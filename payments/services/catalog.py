"""What is sold, as Stripe knows it: one product for each course or lesson, one price for each amount of it."""

from payments import gateway
from payments.models import Payment, StripePrice, StripeProduct


def open_session(payment: Payment) -> tuple[str, str, gateway.Session]:
    """The payment's session at Stripe, with the ids of its product and its price. Called again, after a time-out or a
    crash, it answers with the same. Raises StripeUnavailable or ChargeRefused.

    What somebody has archived or deleted at Stripe since it was made is made anew, once.
    """
    gateway.check_amount(payment.amount, payment.currency)
    try:
        return _open_session(payment, product := _product(payment), _price(product, payment))
    except gateway.ChargeRefused:
        if not _forget_unusable(payment):
            raise
    return _open_session(payment, product := _product(payment), _price(product, payment))


def _open_session(payment: Payment, product: StripeProduct, price: StripePrice) -> tuple[str, str, gateway.Session]:
    if product.name != payment.title:
        # The page says what the course is called today.
        gateway.rename_product(product, payment.title)
        StripeProduct.objects.filter(pk=product.pk).update(name=payment.title)
    return product.stripe_id, price.stripe_id, gateway.create_session(payment, price.stripe_id)


def _product(payment: Payment) -> StripeProduct:
    product, _created = StripeProduct.objects.get_or_create(item_id=payment.item_id, defaults={"name": payment.title})
    if not product.stripe_id:
        product.stripe_id = gateway.create_product(product)
        StripeProduct.objects.filter(pk=product.pk).update(stripe_id=product.stripe_id)
    return product


def _price(product: StripeProduct, payment: Payment) -> StripePrice:
    price, _created = StripePrice.objects.get_or_create(
        product=product, amount=payment.amount, currency=payment.currency
    )
    if not price.stripe_id:
        price.stripe_id = gateway.create_price(price)
        StripePrice.objects.filter(pk=price.pk).update(stripe_id=price.stripe_id)
    return price


def _forget_unusable(payment: Payment) -> bool:
    """Forgets the product with its prices, or the price alone, if nothing can be sold by it any more; says whether
    something was."""
    prices = StripePrice.objects.filter(
        product__item_id=payment.item_id, amount=payment.amount, currency=payment.currency
    )
    price = prices.select_related("product").exclude(product__stripe_id="").first()
    if price is None:
        return False
    if not gateway.is_active("product", price.product.stripe_id):
        StripeProduct.objects.filter(pk=price.product_id).delete()
        return True
    if price.stripe_id and not gateway.is_active("price", price.stripe_id):
        StripePrice.objects.filter(pk=price.pk).delete()
        return True
    return False
