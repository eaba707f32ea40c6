"""Accounts at other providers: linked, listed, unlinked, and what becomes of them."""

from contextlib import suppress

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from common.ids import new_id
from common.testing.databases import on_postgresql
from common.testing.threads import at_once
from users import account, social, tasks
from users.models import Notification, SocialAccount, User
from users.providers import Profile
from users.services import anonymise_user
from users.tests.factories import PASSWORD, SocialAccountFactory, UserFactory
from users.tokens import issue_pair

SOCIAL = "/api/auth/social/"
ACCOUNTS = f"{SOCIAL}accounts/"
PROVIDERS = ["google", "vk", "yandex"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("idp")]
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture
def anna():
    return UserFactory(email="anna@test.io", first_name="Anna", language="en")


@pytest.fixture
def boris():
    return UserFactory(email="boris@test.io")


@pytest.fixture
def without_password(anna):
    anna.set_unusable_password()
    anna.save()
    return anna


@pytest.fixture
def come_back(idp):
    """There and back: what the browser brings."""

    def come_back(provider, client=None, **person):
        begun = (client or APIClient()).get(f"{SOCIAL}{provider}/").json()
        back = idp.consent(begun["authorization_url"], **person)
        return {name: back[name] for name in ("code", "state", "device_id") if name in back}

    return come_back


def of(social_account):
    return f"{ACCOUNTS}{social_account.pk}/"


def profile(uid="777", provider="google"):
    return Profile(provider, uid, "anna@test.io", True, "Anna", "")


# --- Who may ---------------------------------------------------------------------------------------------------------

# The account is the student's.
TABLE = [
    #                                       anon stud teac mode admi
    ("GET", SOCIAL, (200, 200, 200, 200, 200)),
    ("GET", f"{SOCIAL}google/", (200, 200, 200, 200, 200)),
    ("GET", ACCOUNTS, (401, 200, 200, 200, 200)),
    ("DELETE", "{account}", (401, 204, 404, 404, 404)),
    ("POST", f"{SOCIAL}google/link/", (401, 400, 400, 400, 400)),
]
WHO = ["anonymous", "student", "teacher", "moderator", "admin"]


@pytest.mark.parametrize(("method", "path", "statuses"), TABLE)
@pytest.mark.parametrize("who", WHO)
def test_who_may(client_for, student, method, path, statuses, who):
    linked = SocialAccountFactory(user=student)
    client = client_for(who)

    response = getattr(client, method.lower())(of(linked) if path == "{account}" else path)

    assert response.status_code == statuses[WHO.index(who)]
    assert SocialAccount.objects.filter(pk=linked.pk).exists() is (response.status_code != 204)


@pytest.mark.parametrize("path", [SOCIAL, ACCOUNTS, f"{SOCIAL}google/", f"{SOCIAL}google/link/", "{account}"])
def test_other_methods_are_405(client_for, student, path):
    served = {SOCIAL: "get", ACCOUNTS: "get", f"{SOCIAL}google/": "get post", f"{SOCIAL}google/link/": "post"}
    client = client_for("student")
    url = of(SocialAccountFactory(user=student)) if path == "{account}" else path

    for method in {"get", "post", "put", "patch", "delete"} - set(served.get(path, "delete").split()):
        assert getattr(client, method)(url, {}).status_code == 405, method


# --- Linking ---------------------------------------------------------------------------------------------------------


@each_provider
def test_link(sign_in_as, anna, come_back, mailoutbox, provider):
    client = sign_in_as(anna)

    response = client.post(f"{SOCIAL}{provider}/link/", come_back(provider, client, uid="777", email="other@test.io"))

    assert response.status_code == 201, response.json()
    linked = anna.social_accounts.get()
    assert response.json() == {
        "id": str(linked.pk),
        "provider": provider,
        "uid": "777",
        "created_at": response.json()["created_at"],
    }
    assert client.get("/api/users/me/").json()["email"] == "anna@test.io"
    # Its owner is told, whatever they prefer.
    tasks.send_pending_emails()
    (letter,) = mailoutbox
    assert (letter.to, letter.subject) == (["anna@test.io"], "A new way to sign in")


@each_provider
def test_what_is_linked_signs_in(sign_in_as, anna, come_back, provider):
    client = sign_in_as(anna)
    client.post(f"{SOCIAL}{provider}/link/", come_back(provider, client, uid="777"))

    pair = APIClient().post(f"{SOCIAL}{provider}/", come_back(provider, uid="777", email=None)).json()

    me = APIClient().get("/api/users/me/", headers={"Authorization": f"Bearer {pair['access']}"})
    assert me.json()["id"] == str(anna.pk)


def test_signing_in_first_is_the_way_on(sign_in_as, anna, come_back, api):
    """What `sign_in_first` asks for."""
    refused = api.post(f"{SOCIAL}vk/", come_back("vk", uid="777", email=anna.email))
    client = sign_in_as(anna)
    client.post(f"{SOCIAL}vk/link/", come_back("vk", client, uid="777", email=anna.email))

    response = api.post(f"{SOCIAL}vk/", come_back("vk", uid="777", email=anna.email))

    assert (refused.status_code, response.status_code) == (409, 200)


def test_no_email_is_needed_to_link(sign_in_as, anna, come_back):
    client = sign_in_as(anna)

    assert client.post(f"{SOCIAL}vk/link/", come_back("vk", client, email=None)).status_code == 201


def test_linking_again_changes_nothing(sign_in_as, anna, come_back, mailoutbox):
    client = sign_in_as(anna)
    first = client.post(f"{SOCIAL}google/link/", come_back("google", client, uid="777"))

    again = client.post(f"{SOCIAL}google/link/", come_back("google", client, uid="777"))

    assert (again.status_code, again.json()) == (200, first.json())
    tasks.send_pending_emails()
    assert len(mailoutbox) == 1


def test_what_opens_anothers_account_is_not_linked(sign_in_as, anna, boris, come_back):
    SocialAccountFactory(user=boris, provider="google", uid="777")
    client = sign_in_as(anna)

    response = client.post(f"{SOCIAL}google/link/", come_back("google", client, uid="777"))

    assert (response.status_code, response.json()["code"]) == (409, "linked_elsewhere")
    assert SocialAccount.objects.get().user == boris


def test_the_state_of_another_person_links_nothing(sign_in_as, anna, boris, come_back):
    """Else somebody could make another's browser link their own account, and enter by it."""
    body = come_back("google", sign_in_as(boris))

    response = sign_in_as(anna).post(f"{SOCIAL}google/link/", body)

    assert (response.status_code, response.json()["code"]) == (400, "invalid_state")
    assert not SocialAccount.objects.exists()
    # Nor does that use it up.
    assert sign_in_as(boris).post(f"{SOCIAL}google/link/", body).status_code == 201


def test_the_state_of_a_sign_in_links_nothing(sign_in_as, anna, come_back):
    response = sign_in_as(anna).post(f"{SOCIAL}google/link/", come_back("google"))

    assert (response.status_code, response.json()["code"]) == (400, "invalid_state")
    assert not SocialAccount.objects.exists()


def test_a_dead_token_begins_nothing(api):
    response = api.get(f"{SOCIAL}google/", headers={"Authorization": "Bearer dead"})

    assert response.status_code == 401


@pytest.mark.parametrize("end", [account.tokens.revoke_all, lambda user: user.deactivate("admin")])
def test_nothing_is_linked_behind_a_new_password_or_a_deactivation(anna, end):
    """By a request that was let in a moment before."""
    caller = User.objects.get(pk=anna.pk)
    end(anna)

    with pytest.raises(account.tokens.InvalidToken):
        social.link(user=caller, profile=profile())
    assert not SocialAccount.objects.exists()


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_many_people_who_link_one_account_at_once_one_does():
    people = UserFactory.create_batch(8)

    def link(number):
        try:
            return social.link(user=people[number], profile=profile())[1]
        except social.RuleBroken as refusal:
            return refusal.get_codes()

    outcomes = at_once(8, link)

    assert sorted(map(str, outcomes)) == ["True", *["linked_elsewhere"] * 7]


# --- Listing ---------------------------------------------------------------------------------------------------------


def test_list(sign_in_as, anna, boris):
    mine = [SocialAccountFactory(user=anna, provider=provider) for provider in PROVIDERS]
    SocialAccountFactory(user=boris)

    body = sign_in_as(anna).get(ACCOUNTS).json()

    assert body["count"] == 3
    assert [row["id"] for row in body["results"]] == [str(one.pk) for one in mine]
    assert set(body["results"][0]) == {"id", "provider", "uid", "created_at"}


def test_queries_of_the_list(sign_in_as, anna, django_assert_num_queries):
    client = sign_in_as(anna)
    for number in (1, 99):
        SocialAccountFactory.create_batch(number, user=anna)
        with django_assert_num_queries(2):  # the caller; the page with its count
            assert client.get(ACCOUNTS, {"page_size": 100}).status_code == 200


# --- Unlinking -------------------------------------------------------------------------------------------------------


def test_unlink(sign_in_as, anna):
    one, other = (SocialAccountFactory(user=anna, provider=provider) for provider in ("google", "vk"))

    response = sign_in_as(anna).delete(of(one))

    assert response.status_code == 204
    assert anna.social_accounts.get() == other


def test_unlinking_what_is_not_mine(sign_in_as, anna, boris):
    linked = SocialAccountFactory(user=boris)

    assert sign_in_as(anna).delete(of(linked)).status_code == 404
    assert sign_in_as(anna).delete(f"{ACCOUNTS}{new_id()}/").status_code == 404
    assert SocialAccount.objects.exists()


def test_the_last_way_in_stays(sign_in_as, without_password):
    user = without_password
    linked = SocialAccountFactory(user=user)

    response = sign_in_as(user).delete(of(linked))

    assert (response.status_code, response.json()["code"]) == (409, "last_way_in")
    assert user.social_accounts.exists()


def test_another_account_is_a_way_in(sign_in_as, without_password):
    linked, _other = (SocialAccountFactory(user=without_password, provider=provider) for provider in ("google", "vk"))

    assert sign_in_as(without_password).delete(of(linked)).status_code == 204


def test_an_account_of_a_provider_that_is_switched_off_is_none(sign_in_as, without_password, settings):
    settings.SOCIAL_AUTH_VK_ID_KEY = ""
    linked, _other = (SocialAccountFactory(user=without_password, provider=provider) for provider in ("google", "vk"))

    assert sign_in_as(without_password).delete(of(linked)).status_code == 409


def test_anothers_account_is_no_way_in(sign_in_as, without_password, boris):
    SocialAccountFactory(user=boris, provider="vk")

    assert sign_in_as(without_password).delete(of(SocialAccountFactory(user=without_password))).status_code == 409


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_all_that_are_unlinked_at_once_one_stays():
    user = UserFactory(password=None)
    user.set_unusable_password()
    user.save()
    linked = [SocialAccountFactory(user=user, provider=provider) for provider in PROVIDERS]
    access = issue_pair(user)["access"]

    def unlink(number):
        client = APIClient(raise_request_exception=False)
        return client.delete(of(linked[number]), headers={"Authorization": f"Bearer {access}"}).status_code

    assert sorted(at_once(3, unlink)) == [204, 204, 409]
    assert user.social_accounts.count() == 1


# --- People without a password ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("delete", "/api/users/me/", {"password": PASSWORD}),
        ("delete", "own id", {"password": PASSWORD}),
        ("post", "/api/auth/email/change/", {"email": "new@test.io", "password": ""}),
        ("post", "/api/auth/email/change/", {"email": "new@test.io", "password": PASSWORD}),
        ("post", "/api/auth/password/change/", {"old_password": PASSWORD, "new_password": "brighter-staple-9"}),
    ],
)
def test_whoever_has_no_password_is_told_to_set_one(sign_in_as, without_password, method, path, body):
    user = without_password
    path = f"/api/users/{user.pk}/" if path == "own id" else path

    response = getattr(sign_in_as(user), method)(path, body)

    assert (response.status_code, response.json()["code"]) == (409, "no_password")
    user.refresh_from_db()
    assert (user.is_active, user.pending_email, user.has_usable_password()) == (True, "", False)


def test_setting_one_by_letter_leads_on(sign_in_as, without_password, api, mailoutbox):
    user = without_password
    User.objects.update(email_verified_at=timezone.now())
    linked = SocialAccountFactory(user=user)
    api.post("/api/auth/password/reset/", {"email": user.email})
    tasks.send_pending_emails()
    uid, token = mailoutbox[0].body.partition("/password/reset/")[2].split()[0].split("/")[:2]

    body = {"uid": uid, "token": token, "new_password": PASSWORD}
    assert api.post("/api/auth/password/reset/confirm/", body).status_code == 204

    user.refresh_from_db()
    assert user.social_accounts.get() == linked  # the address was known to be theirs
    assert sign_in_as(user).delete(of(linked)).status_code == 204
    assert sign_in_as(user).delete("/api/users/me/", {"password": PASSWORD}).status_code == 204


def test_whoever_linked_an_address_that_was_never_theirs_is_out(without_password, api, come_back):
    """Somebody comes with another's address, which nobody vouches for; its owner sets a password by letter."""
    mallory = APIClient().post(f"{SOCIAL}vk/", come_back("vk", uid="666", email="victim@test.io")).json()
    victim = User.objects.get(email="victim@test.io")

    account.reset_password(user=victim, password=PASSWORD, address="")

    assert not victim.social_accounts.exists()
    back = api.post(f"{SOCIAL}vk/", come_back("vk", uid="666", email="victim@test.io"))
    assert (back.status_code, back.json()["code"]) == (409, "sign_in_first")
    headers = {"Authorization": f"Bearer {mallory['access']}"}
    assert api.get("/api/users/me/", headers=headers).status_code == 401


def test_what_is_linked_to_a_verified_address_stays_and_is_told_of(anna):
    """Whoever opened the account may be somebody else than who confirmed the address later, or not."""
    linked = SocialAccountFactory(user=anna, provider="vk")
    User.objects.filter(pk=anna.pk).update(email_verified_at=timezone.now(), language="en")
    anna.refresh_from_db()

    account.reset_password(user=anna, password=PASSWORD, address="")

    assert anna.social_accounts.get() == linked
    assert "VK ID" in Notification.objects.get(recipient=anna, kind="password_changed").message


# --- Leaving, and all that is held -----------------------------------------------------------------------------------


def test_leaving_unlinks(sign_in_as, anna, come_back, api):
    SocialAccountFactory(user=anna, provider="google", uid="777")

    assert sign_in_as(anna).delete("/api/users/me/", {"password": PASSWORD}).status_code == 204

    assert not SocialAccount.objects.exists()
    # They may come back as somebody new.
    response = api.post(f"{SOCIAL}google/", come_back("google", uid="777", email="anna@test.io"))
    assert response.status_code == 200
    assert User.objects.get(email="anna@test.io").pk != anna.pk


def leave_while(add, number):
    """Somebody leaves, and at once a request of theirs that was let in before adds the provider's account."""
    user = UserFactory(email=f"anna{number}@test.io", email_verified_at=timezone.now())
    callers = [User.objects.get(pk=user.pk) for _ in range(2)]
    theirs = Profile("google", str(number), user.email, True, "", "")

    def act(which):
        with suppress(account.tokens.InvalidToken):
            anonymise_user(callers[0]) if which else add(callers[1], theirs)

    at_once(2, act)


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "add",
    [lambda user, theirs: social.link(user=user, profile=theirs), lambda user, theirs: social._new(theirs, "en")],
    ids=["linking", "joining"],
)
def test_nothing_is_linked_behind_whoever_leaves(add):
    for number in range(8):
        leave_while(add, number)

    assert not SocialAccount.objects.filter(user__is_active=False).exists()


def test_the_export_lists_them(sign_in_as, anna, boris):
    linked = SocialAccountFactory(user=anna, provider="vk", uid="777")
    SocialAccountFactory(user=boris, provider="google", uid="888")

    body = sign_in_as(anna).get("/api/users/me/export/").json()["social_accounts"]

    assert [(one["provider"], one["uid"]) for one in body] == [("vk", "777")]
    assert set(body[0]) == {"provider", "uid", "created_at"}
    assert linked.created_at
