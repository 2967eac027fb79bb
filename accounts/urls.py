"""Pages of an account, mounted at the root."""

from django.contrib.auth import views as auth
from django.urls import path

from accounts import pages

urlpatterns = [
    path("login/", pages.LogIn.as_view(), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("signup/", pages.SignUp.as_view(), name="signup"),
    path("signup/sent/", pages.signup_sent, name="signup_sent"),
    path("signup/again/", pages.SendAgain.as_view(), name="signup_again"),
    path("confirm/<str:token>/", pages.Confirm.as_view(), name="confirm"),
    path("password-reset/", pages.PasswordReset.as_view(), name="password_reset"),
    path(
        "password-reset/sent/",
        auth.PasswordResetDoneView.as_view(template_name="accounts/password_reset_done.html"),
        name="password_reset_done",
    ),
    path("password-reset/<uidb64>/<token>/", pages.PasswordResetConfirm.as_view(), name="password_reset_confirm"),
    path(
        "password-reset/done/",
        auth.PasswordResetCompleteView.as_view(template_name="accounts/password_reset_complete.html"),
        name="password_reset_complete",
    ),
]
