import pytest
import stripe


@pytest.fixture
def product(client):
    return client.v1.products.create({"name": "Course", "metadata": {"course": "7", "level": "1"}})


@pytest.fixture
def price(client, product):
    return client.v1.prices.create({"product": product.id, "currency": "RUB", "unit_amount": 199000})


def test_a_product_is_kept(client, product):
    assert client.v1.products.retrieve(product.id) == product


def test_updating_metadata_merges_and_unsets(client, product):
    changed = client.v1.products.update(product.id, {"metadata": {"level": "", "new": "x"}})

    assert changed.metadata.to_dict() == {"course": "7", "new": "x"}


def test_an_empty_description_unsets_it(client, product):
    client.v1.products.update(product.id, {"description": "Long"})

    assert client.v1.products.update(product.id, {"description": ""}).description is None


def test_a_price_has_a_lower_case_currency(price):
    assert (price.currency, price.unit_amount, price.type) == ("rub", 199000, "one_time")


def test_a_price_is_archived(client, price):
    assert client.v1.prices.update(price.id, {"active": False}).active is False


@pytest.mark.parametrize("change", [{"unit_amount": 1}, {"currency": "usd"}])
def test_what_was_agreed_on_cannot_change(client, price, change):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.prices.update(price.id, change)

    assert caught.value.code == "parameter_unknown"


def test_a_price_needs_a_known_product(client):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.prices.create({"product": "prod_none", "currency": "usd", "unit_amount": 100})

    assert (caught.value.code, caught.value.param) == ("resource_missing", "product")


def test_an_unknown_currency_is_refused(client, product):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.prices.create({"product": product.id, "currency": "zzz", "unit_amount": 100})

    assert (caught.value.http_status, caught.value.param) == (400, "currency")


def test_a_taken_lookup_key_is_handed_over_on_request(client, product, price):
    client.v1.prices.update(price.id, {"lookup_key": "course"})
    params = {"product": product.id, "currency": "rub", "unit_amount": 1, "lookup_key": "course"}

    client.v1.prices.create(params | {"transfer_lookup_key": True})

    assert client.v1.prices.retrieve(price.id).lookup_key is None


def test_lists_are_filtered_newest_first(client, product):
    other = client.v1.products.create({"name": "Other"})
    for owner, amount in ((product, 1), (other, 2), (product, 3)):
        client.v1.prices.create({"product": owner.id, "currency": "usd", "unit_amount": amount})

    assert [one.unit_amount for one in client.v1.prices.list({"product": product.id}).data] == [3, 1]


def test_lists_are_paged(client):
    made = [client.v1.products.create({"name": str(number)}).id for number in range(5)]

    pages = client.v1.products.list({"limit": 2})

    assert pages.has_more is True
    assert [one.id for one in pages.auto_paging_iter()] == made[::-1]


def test_the_page_before_a_cursor(client):
    made = [client.v1.products.create({"name": str(number)}).id for number in range(4)]

    page = client.v1.products.list({"limit": 2, "ending_before": made[0]})

    assert ([one.id for one in page.data], page.has_more) == ([made[2], made[1]], True)
