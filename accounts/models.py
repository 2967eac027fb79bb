"""People: whoever signs in, viewer or staff."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Lower, Upper
from django.utils import timezone

from accounts.fields import LowercaseEmailField, validate_printable


class UserManager(BaseUserManager["User"]):
    """Makes users. Passwords are stored hashed; without one the user cannot sign in with a password."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Save a new user. Raises ValueError without an e-mail, IntegrityError when the e-mail is taken."""
        if not email:
            raise ValueError("A user needs an e-mail address")
        fields.setdefault("is_staff", False)
        fields.setdefault("is_superuser", False)
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Save a new administrator with every permission, e-mail confirmed: whoever runs the command vouches."""
        fields |= {"is_staff": True, "is_superuser": True}
        fields.setdefault("email_confirmed_at", timezone.now())
        return self.create_user(email, password, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The e-mail is the login; the id is what other systems know."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = LowercaseEmailField("e-mail", max_length=254, unique=True, error_messages={"unique": "E-mail is taken."})
    name = models.CharField(max_length=150, blank=True, validators=[validate_printable])
    is_staff = models.BooleanField("staff", default=False, help_text="May sign in to the admin.")
    is_active = models.BooleanField(
        "active", default=True, help_text="Clear this instead of deleting a person: payments must keep their owner."
    )
    email_confirmed_at = models.DateTimeField("e-mail confirmed", null=True, blank=True)
    date_joined = models.DateTimeField("joined", default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ["-date_joined", "-id"]
        permissions = [("assign_roles", "Can assign roles to users")]
        constraints = [
            # With this, the plain unique index on the column is unique whatever the case of the letters.
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lowercase"),
        ]
        indexes = [
            models.Index(fields=["-date_joined", "-id"], name="user_joined"),
            # The admin's search: a piece of an e-mail or of a name (Django asks for UPPER(column) LIKE UPPER('%..%')).
            GinIndex(OpClass(Upper("email"), name="gin_trgm_ops"), name="user_email_trigrams"),
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="user_name_trigrams"),
        ]

    def __str__(self) -> str:
        return str(self.email)

    @property
    def is_confirmed(self) -> bool:
        """Whether the person has shown that the e-mail is theirs."""
        return self.email_confirmed_at is not None

    def get_full_name(self) -> str:
        """The name; the e-mail where none was given."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """The first word of the name; the e-mail where none was given."""
        return self.name.split()[0] if self.name.split() else self.email
