"""The user: one person per e-mail whatever the letters' case, and nothing stored that cannot be."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from accounts.models import User

pytestmark = pytest.mark.django_db


def test_an_email_is_kept_in_lower_case_and_found_in_any():
    user = User.objects.create_user(" Anna@Example.ORG ", "x")

    assert user.email == "anna@example.org"
    assert User.objects.get(email="ANNA@example.org") == user


def test_the_same_email_in_other_letters_is_refused_by_the_database(anna):
    with pytest.raises(IntegrityError):
        User.objects.create_user("ANNA@EXAMPLE.ORG", "x")


def test_the_database_refuses_a_capital_letter_that_came_around_the_model(anna):
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("update accounts_user set email = 'Anna@example.org'")


def test_a_user_without_an_email_is_refused():
    with pytest.raises(ValueError, match="e-mail"):
        User.objects.create_user("", "x")


@pytest.mark.parametrize("email", ["a\x00@x.org", "a@x\ud800.org", "nonsense", "a" * 250 + "@x.org", "a@b@c.org"])
def test_an_email_that_cannot_be_one_is_refused(email):
    with pytest.raises(ValidationError):
        User(email=email, password="x").full_clean()


@pytest.mark.parametrize("name", ["a\x00b", "a\ud800b", "Anna\r\nBcc: all@x.org", "n" * 151])
def test_a_name_that_would_break_storage_or_a_mail_is_refused(name):
    with pytest.raises(ValidationError):
        User(email="a@x.org", password="x", name=name).full_clean()


def test_an_ordinary_user_begins_without_rights_and_unconfirmed(anna):
    assert not (anna.is_staff or anna.is_superuser or anna.is_confirmed)


def test_a_superuser_is_staff_and_confirmed(root):
    assert root.is_staff and root.is_superuser and root.is_confirmed


def test_without_a_name_the_email_stands_for_it():
    assert User(email="a@x.org").get_full_name() == User(email="a@x.org", name="  ").get_short_name() == "a@x.org"


@pytest.mark.parametrize("column", ["email", "name"])
def test_the_admin_search_can_use_an_index(anna, column):
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
    plan = User.objects.filter(**{f"{column}__icontains": "anna"}).order_by().explain()

    assert f"user_{column}_trigrams" in plan
