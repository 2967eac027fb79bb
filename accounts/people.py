"""What happens to people: they register and confirm their e-mail."""

import uuid
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import mails
from accounts.models import User

CONFIRMATION_VALID = timedelta(days=3)
_SALT = "accounts.confirm"


class BadLink(Exception):
    """The confirmation link is forged, too old, or for an e-mail that the person no longer has."""


def register(email: str, password: str, name: str = "", *, next_url: str = "") -> User:
    """Save a new, unconfirmed person and mail the confirmation link (which leads on to `next_url`).

    Raises ValidationError on a bad e-mail, name or password. Nobody learns here whether an e-mail is known: for a
    taken one the owner is told by mail and the caller gets an unsaved stand-in that looks like any newcomer. Who
    gives the right password is the owner repeating a request: they get their own row.
    """
    user = User(email=email, name=name)
    user.full_clean(exclude=["password"], validate_unique=False, validate_constraints=False)
    validate_password(password, user)
    # One password is hashed on either way, so that the time an answer takes does not tell them apart.
    if existing := User.objects.filter(email=user.email).first():
        return _register_again(existing, user, password, next_url)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            send_confirmation(user, next_url=next_url)
    except IntegrityError:  # the same e-mail, at the same moment
        return _register_again(User.objects.get(email=user.email), user, password, next_url)
    return user


def _register_again(existing: User, newcomer: User, password: str, next_url: str) -> User:
    owner = existing.check_password(password) and existing.is_active
    if owner and not existing.is_confirmed:
        send_confirmation(existing, next_url=next_url)
    elif existing.is_active:
        mails.send_after_commit("exists", existing.email, user=existing)
    return existing if owner else User(id=uuid.uuid4(), email=newcomer.email, name=newcomer.name)


def confirmation_link(user: User, *, next_url: str = "") -> str:
    """The address that confirms the e-mail of `user`, good for three days."""
    token = signing.dumps([str(user.pk), user.email], salt=_SALT)
    query = f"?{urlencode({'next': next_url})}" if next_url else ""
    return f"{settings.PUBLIC_URL}{reverse('confirm', args=[token])}{query}"


def send_confirmation(user: User, *, next_url: str = "") -> None:
    """Mail the confirmation link, once the current transaction is committed. Nothing for who is already confirmed."""
    if user.is_confirmed or not user.is_active:
        return
    link = confirmation_link(user, next_url=next_url)
    mails.send_after_commit("confirm", user.email, user=user, link=link, days=CONFIRMATION_VALID.days)


def read_confirmation(token: str) -> User:
    """The person whose link this is. Raises BadLink."""
    try:
        user_id, email = signing.loads(token, salt=_SALT, max_age=CONFIRMATION_VALID)
        # The e-mail is in the link so that an old one cannot confirm an address given later.
        return User.objects.get(pk=user_id, email=email, is_active=True)
    except (signing.BadSignature, User.DoesNotExist, ValueError) as error:
        raise BadLink("This link is not valid any more.") from error


def confirm(token: str, *, at: datetime | None = None) -> User:
    """Mark the e-mail as confirmed and return its owner; a repeated click changes nothing. Raises BadLink."""
    user = read_confirmation(token)
    mark_confirmed(user, at=at)
    return user


def mark_confirmed(user: User, *, at: datetime | None = None) -> None:
    """Note that the e-mail of `user` is theirs. The first time stands."""
    User.objects.filter(pk=user.pk, email=user.email, email_confirmed_at=None).update(
        email_confirmed_at=at or timezone.now()
    )
    user.refresh_from_db(fields=["email_confirmed_at"])


def end_sessions(user: User) -> None:
    """Refuse every refresh token that was given to `user` so far (after a new password, or a theft)."""
    living = OutstandingToken.objects.filter(user=user, blacklistedtoken=None, expires_at__gt=timezone.now())
    BlacklistedToken.objects.bulk_create([BlacklistedToken(token=token) for token in living], ignore_conflicts=True)
