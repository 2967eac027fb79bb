"""What the account pages need around them, without the rest of the shop."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path


def stub(request: HttpRequest) -> HttpResponse:
    return render(request, "base.html")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/auth/", include("accounts.api_urls")),
    path("", include("accounts.urls")),
    path("plans/", stub, name="plans"),
    path("films/", stub, name="films"),
    path("account/", stub, name="account"),
]
