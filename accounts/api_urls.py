"""Mounted at /api/v1/auth/."""

from accounts import api
from accounts.slashes import both

urlpatterns = [
    both("register", api.Register.as_view(), "api-register"),
    both("confirm", api.Confirm.as_view(), "api-confirm"),
    both("token", api.Token.as_view(), "api-token"),
    both("refresh", api.Refresh.as_view(), "api-refresh"),
    both("logout", api.LogOut.as_view(), "api-logout"),
    both("me", api.Me.as_view(), "api-me"),
]
