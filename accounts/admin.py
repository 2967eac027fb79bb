"""The user's page for staff: the first thing support opens.

Apps above this one show what they know about a person here by calling `UserAdmin.extend(...)` in their own admin.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.auth import admin as stock
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import people
from accounts.models import User

Panel = Callable[[HttpRequest, User], SafeString]


class AddUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email", "name")
        field_classes: dict[str, type[forms.Field]] = {}


class ConfirmedFilter(admin.SimpleListFilter):
    title = "e-mail confirmed"
    parameter_name = "confirmed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() in ("yes", "no"):
            return queryset.filter(email_confirmed_at__isnull=self.value() == "no")
        return queryset


# simplejwt's lists of tokens: live secrets, and nothing that staff could do with them.
admin.site.unregister([OutstandingToken, BlacklistedToken])


@admin.register(User)
class UserAdmin(stock.UserAdmin):  # type: ignore[type-arg]
    """Find and see a person; change what the editor's own rank allows."""

    change_form_template = "admin/accounts/user/change_form.html"
    add_form = AddUserForm
    list_display: list[Any] = ["email", "name", "confirmed", "is_staff", "date_joined"]
    list_filter: ClassVar[list[Any]] = [
        ConfirmedFilter,
        "is_active",
        "is_staff",
        "groups",
        "date_joined",
    ]
    inlines: ClassVar[list[type[InlineModelAdmin[Any, Any]]]] = []
    actions: list[Any] = ["send_confirmation"]
    search_fields = ["email", "name"]
    search_help_text = "A piece of an e-mail or name, or a whole user id"
    ordering = ["-date_joined", "-id"]
    list_per_page = 50
    show_full_result_count = False
    readonly_fields = ["id", "email_confirmed_at", "last_login", "date_joined"]
    fieldsets = (
        (None, {"fields": ("email", "name", "id", "email_confirmed_at", "password")}),
        ("Rights", {"fields": ("is_active", "is_staff", "groups", "is_superuser", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "name", "usable_password", "password1", "password2")}),
    )

    panels: ClassVar[list[tuple[int, Panel]]] = []
    list_querysets: ClassVar[list[Callable[[QuerySet[User]], QuerySet[User]]]] = []

    @classmethod
    def extend(
        cls,
        *,
        panel: Panel | None = None,
        order: int = 50,
        columns: Sequence[Callable[[User], Any]] = (),
        filters: Sequence[Any] = (),
        inlines: Sequence[type[InlineModelAdmin[Any, Any]]] = (),
        actions: Sequence[Callable[..., Any]] = (),
        queryset: Callable[[QuerySet[User]], QuerySet[User]] | None = None,
    ) -> None:
        """Add to the user's pages from an app above.

        `panel(request, user)` gives HTML for the top of the user's page, lowest `order` first; it checks permissions
        itself and returns an empty SafeString to show nothing. `columns` (functions decorated by @admin.display),
        `filters` and `actions` go to the list, `queryset` prepares the list's rows (annotate, prefetch) so that a
        column costs no query per row. `inlines` go below the user's own fields.
        """
        if panel:
            cls.panels.append((order, panel))
            cls.panels.sort(key=lambda pair: pair[0])
        if queryset:
            cls.list_querysets.append(queryset)
        cls.list_display.extend(columns)
        cls.list_filter.extend(filters)
        cls.inlines.extend(inlines)
        cls.actions.extend(actions)

    # --- seeing

    @admin.display(description="confirmed", boolean=True, ordering="email_confirmed_at")
    def confirmed(self, user: User) -> bool:
        return user.is_confirmed

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """By id when the whole of it is typed, by a piece of the e-mail or name otherwise."""
        try:
            return queryset.filter(pk=uuid.UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        request._user_list = True  # type: ignore[attr-defined]
        return super().changelist_view(request, extra_context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        queryset = super().get_queryset(request)
        if getattr(request, "_user_list", False):  # the single user's page has no use for the list's annotations
            for prepare in self.list_querysets:
                queryset = prepare(queryset)
        return queryset

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[type[InlineModelAdmin[Any, Any]]]:
        return self.inlines if obj else []

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        user = context.get("original")
        context["panels"] = [panel(request, user) for _, panel in self.panels] if user else []
        return super().render_change_form(request, context, *args, **kwargs)

    # --- changing

    def may_change(self, request: HttpRequest, user: User | None) -> bool:
        """Whether the editor's rank allows to touch `user`: a new password or e-mail is as good as their rights."""
        if user is None or request.user.is_superuser or user.pk == request.user.pk:
            return True
        if user.is_superuser:
            return False
        ranked = user.is_staff or user.groups.exists() or user.user_permissions.exists()
        return not ranked or request.user.has_perm("accounts.assign_roles")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and self.may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self.may_change(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Nobody gives more than they may: roles need a permission, the rest of the rights a superuser."""
        fields = list(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            fields += ["is_superuser", "user_permissions"]
            if not request.user.has_perm("accounts.assign_roles"):
                fields += ["is_staff", "groups"]
        return fields

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm[User], change: bool) -> None:
        if "email" in form.changed_data:
            obj.email_confirmed_at = None  # the new address has yet to be shown to be theirs
            super().save_model(request, obj, form, change)
            people.send_confirmation(obj)
        else:
            super().save_model(request, obj, form, change)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """The stock page; a new password also ends what was begun with the old one."""
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            people.end_sessions(User.objects.get(pk=id))
        return response

    @admin.action(description="Mail the confirmation link again", permissions=["change"])
    def send_confirmation(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        waiting = [user for user in queryset if user.is_active and not user.is_confirmed]
        for user in waiting:
            people.send_confirmation(user)
        messages.success(request, f"Sent to {len(waiting)}; the others are confirmed already or switched off.")
