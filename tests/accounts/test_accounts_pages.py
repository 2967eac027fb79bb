"""A person signs up, confirms, logs in and recovers a password, without ever losing the way."""

import re

import pytest
from django.urls import reverse
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from accounts import people
from accounts.models import User
from tests.accounts.conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_at_once")]
NEXT = "/plans/?months=3"


def link_in(mail):
    return re.search(r"http://\S+", mail.body).group().replace("http://127.0.0.1:8000", "")


def sign_up(client, email="new@example.org", password=PASSWORD, **more):
    return client.post("/signup/", {"email": email, "password": password, "name": "Lev", **more}, follow=True)


def test_the_way_through_sign_up_confirmation_and_log_in_keeps_its_goal(client, mailoutbox):
    page = sign_up(client, next=NEXT)
    assert "Check your mail" in page.text and "new@example.org" in page.text

    page = client.get(link_in(mailoutbox[0]), follow=True)
    assert "e-mail is confirmed" in page.text and page.context["form"].initial["username"] == "new@example.org"
    assert User.objects.get().is_confirmed

    page = client.post(page.request["PATH_INFO"], {"username": "New@example.org", "password": PASSWORD, "next": NEXT})
    assert (page.status_code, page["Location"]) == (302, NEXT)


def test_the_log_in_page_after_confirming_carries_next(client, mailoutbox):
    sign_up(client, next=NEXT)
    page = client.get(link_in(mailoutbox[0]), follow=True)

    assert f'name="next" value="{NEXT}"' in page.text


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_a_next_that_leads_elsewhere_is_dropped(client, mailoutbox, evil):
    page = sign_up(client, next=evil)
    assert "evil" not in page.redirect_chain[-1][0] and "alert" not in page.text
    assert "evil" not in mailoutbox[0].body and "javascript" not in mailoutbox[0].body

    page = client.post("/login/", {"username": "new@example.org", "password": PASSWORD, "next": evil})
    assert page["Location"] == "/account/"


def test_a_known_email_gets_the_same_page_and_its_owner_a_mail(client, anna, mailoutbox):
    known = sign_up(client, anna.email, "another long password")
    client.cookies.clear()
    new = sign_up(client, "new@example.org", "another long password")

    def unify(page):
        return re.sub(r'csrfmiddlewaretoken" value="\w+"', "", page.text.replace("anna@", "new@"))

    assert unify(known) == unify(new) and known.redirect_chain == new.redirect_chain
    assert [mail.to[0] for mail in mailoutbox] == [anna.email, "new@example.org"]


def test_a_weak_password_is_explained_on_the_form(client):
    page = sign_up(client, password="12345678")

    assert "too common" in page.text and not User.objects.exists()


@pytest.mark.parametrize("field", ["email", "name"])
def test_a_field_with_nul_is_refused_and_not_stored(client, field):
    page = sign_up(client, **{field: "a\x00@x.org"})

    assert page.status_code == 200 and not User.objects.exists()


def test_another_browser_asks_before_it_confirms(client, anna):
    link = reverse("confirm", args=[people.confirmation_link(anna).rsplit("/", 2)[1]])
    page = client.get(link)
    anna.refresh_from_db()
    assert "Yes, confirm it" in page.text and not anna.is_confirmed

    assert client.post(link)["Location"] == "/login/"
    anna.refresh_from_db()
    assert anna.is_confirmed
    assert client.get(link)["Location"] == "/login/"


def test_a_bad_confirmation_link_says_so(client):
    page = client.get("/confirm/nonsense/")

    assert page.status_code == 400 and "not valid any more" in page.text


def test_the_mail_can_be_sent_again(client, mailoutbox):
    sign_up(client)
    page = client.post("/signup/again/", follow=True)

    assert "a new link is on its way" in page.text and len(mailoutbox) == 2


def test_who_is_logged_in_can_have_the_mail_sent_again_and_stays_on_the_page(client, anna, mailoutbox):
    client.force_login(anna)

    assert client.post("/signup/again/", {"next": "/films/"})["Location"] == "/films/"
    assert mailoutbox[0].to == [anna.email]


def test_nobody_can_send_a_mail_to_a_stranger(client, anna, mailoutbox):
    client.post("/signup/again/", {"email": anna.email})

    assert mailoutbox == []


def test_the_link_is_shown_on_the_page_only_while_debug_is_on(client, settings):
    assert "Only while DEBUG" not in sign_up(client).text

    settings.DEBUG = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    page = client.get("/signup/sent/")
    assert "open the link from here" in page.text and settings.EMAIL_FILE_PATH in page.text


def test_check_your_mail_is_nothing_for_who_did_not_sign_up(client):
    assert client.get("/signup/sent/")["Location"] == "/signup/"


def test_the_email_may_be_typed_in_capitals_to_log_in(client, anna):
    page = client.post("/login/", {"username": "ANNA@EXAMPLE.ORG", "password": PASSWORD})

    assert page["Location"] == "/account/"


def test_a_wrong_password_and_an_unknown_email_look_the_same(client, anna):
    wrong = client.post("/login/", {"username": anna.email, "password": "wrong password"})
    unknown = client.post("/login/", {"username": "nobody@x.org", "password": "wrong password"})

    assert wrong.context["form"].errors == unknown.context["form"].errors != {}


def test_the_words_of_logging_in_are_true_and_kind(client, anna):
    page = client.post("/login/", {"username": anna.email, "password": "wrong"})
    assert "Capitals matter in the password only" in page.text and "both fields" not in page.text
    assert "if you paid, it is safe" in client.get("/login/?next=/payments/1/").text
    assert "if you paid" not in client.get("/login/?next=/account/").text
    assert ">E-mail</label>" in client.get("/password-reset/").text


def test_who_is_switched_off_cannot_log_in(client, anna):
    User.objects.update(is_active=False)

    assert client.post("/login/", {"username": anna.email, "password": PASSWORD}).status_code == 200


def test_who_is_logged_in_is_sent_on_from_log_in_and_sign_up(client, anna):
    client.force_login(anna)

    assert client.get("/login/")["Location"] == "/account/"
    assert client.get("/signup/", {"next": NEXT})["Location"] == NEXT


def test_logging_out_needs_a_post(client, anna):
    client.force_login(anna)
    assert client.get("/logout/").status_code == 405

    assert client.post("/logout/")["Location"] == "/plans/"
    assert "_auth_user_id" not in client.session


def test_a_forgotten_password_is_replaced_through_the_mail(client, anna, mailoutbox, settings):
    stolen = str(RefreshToken.for_user(anna))
    client.post("/password-reset/", {"email": "ANNA@example.org"}, headers={"host": "testserver"})
    assert settings.PUBLIC_URL in mailoutbox[0].body and "testserver" not in mailoutbox[0].body

    page = client.get(link_in(mailoutbox[0]), follow=True)
    new = {"new_password1": "quite another title", "new_password2": "quite another title"}
    page = client.post(page.request["PATH_INFO"], new, follow=True)
    anna.refresh_from_db()
    assert "The password is changed" in page.text
    assert anna.check_password("quite another title") and anna.is_confirmed
    with pytest.raises(TokenError, match="blacklisted"):
        RefreshToken(stolen)


def test_a_password_reset_for_nobody_looks_the_same_and_sends_nothing(client, mailoutbox):
    page = client.post("/password-reset/", {"email": "nobody@example.org"}, follow=True)

    assert "Check your mail" in page.text and mailoutbox == []


def test_guessing_passwords_is_slowed_down(client, anna, monkeypatch):
    monkeypatch.setattr("rest_framework.throttling.ScopedRateThrottle.THROTTLE_RATES", {"auth": "2/min"})
    guess = {"username": anna.email, "password": "wrong password"}

    assert [client.post("/login/", guess).status_code for _ in range(3)] == [200, 200, 429]
    assert client.post("/login/", guess)["Retry-After"]
    assert client.get("/login/").status_code == 200


@pytest.mark.parametrize("url", ["/login/", "/signup/", "/password-reset/", "/password-reset/sent/", "/confirm/x/"])
def test_every_page_says_where_it_is_and_labels_its_fields(client, url):
    text = client.get(url).text

    assert "· Boxoffice</title>" in text and '<html lang="en">' in text and 'href="#content"' in text
    for field in re.findall(r'<input type="(?:text|email|password)"[^>]*id="(\w+)"', text):
        assert f'<label for="{field}"' in text


def test_the_pages_of_failures_render(client, rf):
    from django.template.loader import render_to_string

    assert client.get("/nowhere/").status_code == 404
    assert "no such page" in client.get("/nowhere/").text
    for name in ("400", "403", "403_csrf", "404"):
        assert "Boxoffice" in render_to_string(f"{name}.html", request=rf.get("/"))
    assert "<link" not in render_to_string("500.html")  # nothing it could miss


def test_an_unconfirmed_person_is_reminded_where_a_page_asks_for_it(anna, rf):
    from django.template.loader import render_to_string

    request = rf.get("/films/")
    assert "confirm your e-mail" in render_to_string("accounts/unconfirmed.html", {"user": anna}, request=request)
    people.mark_confirmed(anna)
    assert render_to_string("accounts/unconfirmed.html", {"user": anna}, request=request).strip() == ""
