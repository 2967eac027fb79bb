"""Pages by which a person signs up, confirms the e-mail, logs in and recovers a password."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from django.views.generic import FormView

from accounts import people
from accounts.forms import ForgotForm, LogInForm, SignUpForm
from accounts.models import User
from accounts.throttles import ThrottledPosts

SIGNUP_EMAIL = "signup_email"  # session key: the e-mail that this browser signed up with


def safe_next(request: HttpRequest) -> str:
    """The `next` of this request if it leads to a page of ours, else an empty string."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return url if safe else ""


def with_next(route: str, next_url: str) -> str:
    """The address of `route`, remembering where the person is going."""
    return reverse(route) + (f"?{urlencode({'next': next_url})}" if next_url else "")


class PlainLabels:
    """Mixin of a form view: labels without a colon, as on every page of the shop."""

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "label_suffix": ""}  # type: ignore[misc]


class LogIn(ThrottledPosts, PlainLabels, auth.LoginView):
    """The stock view with our form; `next` is checked by it."""

    template_name = "accounts/login.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True

    def get_initial(self) -> dict[str, Any]:
        return {**super().get_initial(), "username": self.request.session.get(SIGNUP_EMAIL, "")}


class SignUp(ThrottledPosts, PlainLabels, FormView):  # type: ignore[type-arg]
    """Sign up; the answer is the same whether the e-mail is new or known."""

    template_name = "accounts/signup.html"
    form_class = SignUpForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return redirect(safe_next(request) or resolve_url(settings.LOGIN_REDIRECT_URL))
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        next_url = safe_next(self.request)
        data = form.cleaned_data
        try:
            user = people.register(data["email"], data["password"], data["name"], next_url=next_url)
        except ValidationError as error:
            form.add_error(None if hasattr(error, "error_dict") else "password", error)
            return self.form_invalid(form)
        self.request.session[SIGNUP_EMAIL] = user.email
        return redirect(with_next("signup_sent", next_url))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(next=safe_next(self.request), **kwargs)


@require_GET
@never_cache
def signup_sent(request: HttpRequest) -> HttpResponse:
    """ "Check your mail", with a way to have it sent again."""
    email = request.session.get(SIGNUP_EMAIL)
    if not email:
        return redirect("signup")
    next_url = safe_next(request)
    context = {"email": email, "next": next_url}
    if settings.DEBUG:  # on a laptop there is no mailbox: say where the mail went, and give the link
        if "filebased" in settings.EMAIL_BACKEND:
            context["mail_folder"] = settings.EMAIL_FILE_PATH
        user = User.objects.filter(email=email, email_confirmed_at=None).first()
        link = people.confirmation_link(user, next_url=next_url) if user else ""
        context["debug_link"] = link.removeprefix(settings.PUBLIC_URL)
    return render(request, "accounts/signup_sent.html", context)


class SendAgain(ThrottledPosts, View):
    """Mail the confirmation link once more, to who is logged in or to who just signed up in this browser."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        next_url = safe_next(request)
        if request.user.is_authenticated:
            user: User | None = request.user
            back = next_url or resolve_url(settings.LOGIN_REDIRECT_URL)
        else:
            user = User.objects.filter(email=request.session.get(SIGNUP_EMAIL, "")).first()
            back = with_next("signup_sent", next_url)
        if user:
            people.send_confirmation(user, next_url=next_url)
        messages.success(request, "If the e-mail still needs confirming, a new link is on its way.")
        return redirect(back)


class Confirm(View):
    """Where the mailed link leads.

    The browser that signed up is confirmed at once. Anywhere else a button must be pressed: mail programs open links
    by themselves, and would confirm an address that a stranger typed.
    """

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            user = people.read_confirmation(token)
        except people.BadLink:
            return self.refuse(request)
        if user.is_confirmed or request.user == user or request.session.get(SIGNUP_EMAIL) == user.email:
            return self.post(request, token)
        return render(request, "accounts/confirm.html", {"email": user.email, "next": safe_next(request)})

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            user = people.confirm(token)
        except people.BadLink:
            return self.refuse(request)
        next_url = safe_next(request)
        if request.user.is_authenticated:
            messages.success(request, "Your e-mail is confirmed.")
            return redirect(next_url or resolve_url(settings.LOGIN_REDIRECT_URL))
        request.session[SIGNUP_EMAIL] = user.email
        messages.success(request, "Your e-mail is confirmed. Log in to go on.")
        return redirect(with_next("login", next_url))

    def refuse(self, request: HttpRequest) -> HttpResponse:
        return render(request, "accounts/confirm_bad.html", {"next": safe_next(request)}, status=400)


class PasswordReset(ThrottledPosts, PlainLabels, auth.PasswordResetView):
    """The stock view. Links carry our public address, not the Host header that the asker sent."""

    template_name = "accounts/password_reset.html"
    form_class = ForgotForm
    email_template_name = "accounts/mail/password_reset.txt"
    subject_template_name = "accounts/mail/password_reset_subject.txt"
    extra_email_context = {"public_url": settings.PUBLIC_URL}


class PasswordResetConfirm(PlainLabels, auth.PasswordResetConfirmView):
    """The stock view. Whoever opened the mailed link owns the e-mail; whoever else had the password is out."""

    template_name = "accounts/password_reset_confirm.html"

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        people.mark_confirmed(form.user)
        people.end_sessions(form.user)
        return response
