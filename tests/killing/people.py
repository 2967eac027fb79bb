"""Run inside the installation's settings: makes customers and prints their tokens, the administrator's first."""

from __future__ import annotations

import json
import sys
from datetime import timedelta

import django


def main(count: int) -> None:
    django.setup()
    from django.utils import timezone
    from rest_framework_simplejwt.tokens import AccessToken

    from accounts.models import User

    def token(user: User) -> str:
        made = AccessToken.for_user(user)
        made.set_exp(lifetime=timedelta(days=1))  # none runs out in the middle
        return str(made)

    customers = User.objects.bulk_create(
        User(email=f"killed{number}@example.com", email_confirmed_at=timezone.now(), password="!")
        for number in range(count)
    )
    staff = User.objects.get(email="admin@example.com")
    sys.stdout.write(json.dumps([token(user) for user in (staff, *customers)]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
