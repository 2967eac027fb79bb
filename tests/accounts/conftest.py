import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from accounts.models import User

PASSWORD = "a long film title"


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/accounts" in item.path.as_posix():
            item.add_marker(pytest.mark.urls("tests.accounts.urls"))


@pytest.fixture(autouse=True)
def fresh_throttle():
    cache.clear()


@pytest.fixture(autouse=True)
def fast_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def mails_at_once(monkeypatch):
    """The test's own transaction never commits; that mails wait for a commit is tested in test_accounts_people."""
    monkeypatch.setattr("accounts.mails.transaction.on_commit", lambda callback: callback())


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.fixture
def anna(db) -> User:
    return User.objects.create_user("anna@example.org", PASSWORD, name="Anna Karenina")


@pytest.fixture
def root(db) -> User:
    return User.objects.create_superuser("root@example.org", PASSWORD)


@pytest.fixture
def staff(db):
    """Makes a member of staff with the given permissions of this app."""
    from django.contrib.auth.models import Permission

    def make(email: str, *codenames: str) -> User:
        user = User.objects.create_user(email, PASSWORD, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts", codename__in=codenames))
        return user

    return make
