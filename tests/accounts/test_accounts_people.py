"""Registering and confirming."""

import re
from datetime import timedelta
from unittest.mock import patch

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone
from rest_framework_simplejwt.tokens import RefreshToken

from accounts import people
from accounts.models import User
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def token_in(mail):
    return re.search(r"/confirm/([^/]+)/", mail.body).group(1)


@pytest.fixture
def register(django_capture_on_commit_callbacks):
    def run(*args, **kwargs):
        with django_capture_on_commit_callbacks(execute=True):
            return people.register(*args, **kwargs)

    return run


def test_p3_registering_saves_an_unconfirmed_person_and_mails_a_link(register, mailoutbox, settings):
    user = register("New@Example.org", PASSWORD, "Lev")

    assert User.objects.get(email="new@example.org") == user
    assert user.check_password(PASSWORD) and not user.is_confirmed
    assert mailoutbox[0].to == ["new@example.org"]
    assert f"{settings.PUBLIC_URL}/confirm/" in mailoutbox[0].body


def test_p3_the_mailed_link_confirms_once_and_a_second_click_changes_nothing(register, mailoutbox):
    register("new@example.org", PASSWORD)
    token = token_in(mailoutbox[0])
    first = people.confirm(token).email_confirmed_at

    assert first is not None
    assert people.confirm(token).email_confirmed_at == first


def test_p3_a_link_older_than_three_days_is_refused(register, mailoutbox):
    register("new@example.org", PASSWORD)

    with time_machine.travel(timezone.now() + timedelta(days=3, seconds=2)), pytest.raises(people.BadLink):
        people.confirm(token_in(mailoutbox[0]))


@pytest.mark.parametrize("token", ["", "x", "WyJhIl0:1tQvZp:forged", "\x00", "é" * 200])
def test_p3_a_forged_link_is_refused(token):
    with pytest.raises(people.BadLink):
        people.confirm(token)


def test_p3_a_link_does_not_confirm_an_email_given_later(register, mailoutbox):
    user = register("old@example.org", PASSWORD)
    User.objects.filter(pk=user.pk).update(email="later@example.org")

    with pytest.raises(people.BadLink):
        people.confirm(token_in(mailoutbox[0]))


def test_p3_a_taken_email_is_told_only_to_its_owner(register, anna, mailoutbox):
    stranger = register("ANNA@example.org", "another long password", "Somebody")

    assert stranger.pk != anna.pk and stranger.email == anna.email and not stranger.is_confirmed
    assert User.objects.count() == 1
    assert mailoutbox[0].to == [anna.email] and "already have an account" in mailoutbox[0].body
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


def test_p3_the_owner_who_repeats_the_request_gets_the_same_person(register, anna, mailoutbox):
    assert register("anna@example.org", PASSWORD).pk == anna.pk
    assert "/confirm/" in mailoutbox[0].body


def test_p3_two_sign_ups_at_once_make_one_person(register, anna):
    with patch.object(User.objects, "filter") as late:  # the look before the leap saw nothing
        late.return_value.first.return_value = None
        assert register("anna@example.org", "another long password").pk != anna.pk

    assert User.objects.count() == 1


def test_p3_somebody_switched_off_is_not_told_and_not_let_in(register, anna, mailoutbox):
    User.objects.filter(pk=anna.pk).update(is_active=False)

    assert register("anna@example.org", PASSWORD).pk != anna.pk
    assert mailoutbox == []


@pytest.mark.parametrize("password", ["short", "12345678", "password", "new@example.org"])
def test_p3_a_weak_password_is_refused_before_anything_is_saved(password):
    with pytest.raises(ValidationError):
        people.register("new@example.org", password)
    assert not User.objects.exists()


def test_p3_a_mail_server_that_fails_does_not_lose_the_registration(register, caplog):
    with patch("accounts.mails.send_mail", side_effect=OSError("no route")):
        user = register("new@example.org", PASSWORD)

    assert User.objects.filter(pk=user.pk).exists()
    assert "could not be sent" in caplog.text


def test_p3_a_mail_waits_for_the_commit(mailoutbox):
    people.register("new@example.org", PASSWORD)

    assert mailoutbox == []


def test_p3_ending_sessions_refuses_every_refresh_token(anna):
    token = RefreshToken.for_user(anna)
    people.end_sessions(anna)
    people.end_sessions(anna)

    with pytest.raises(Exception, match="blacklisted"):
        RefreshToken(str(token))
