"""M5, M14: staff find a person, see what every app knows of them, and cannot raise their own rank."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Value
from django.urls import reverse
from django.utils.html import format_html
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.admin import UserAdmin
from accounts.models import User
from tests.accounts.conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_at_once")]
LIST = "/admin/accounts/user/"


def page_of(user):
    return reverse("admin:accounts_user_change", args=[user.pk])


def found(client, text):
    answer = client.get(LIST, {"q": text})
    assert answer.status_code == 200
    return [user.email for user in answer.context["cl"].result_list]


@pytest.fixture
def extended(monkeypatch):
    """UserAdmin whose extensions are forgotten after the test."""
    for name in ("panels", "list_querysets", "list_display", "list_filter", "inlines", "actions"):
        monkeypatch.setattr(UserAdmin, name, list(getattr(UserAdmin, name)))
    return UserAdmin


@pytest.mark.parametrize("text", ["anna@example.org", "ANNA@", "karen", "Anna Kar", "example.org anna"])
def test_m5_a_person_is_found_by_a_piece_of_email_or_name(client, root, anna, text):
    client.force_login(root)

    assert found(client, text) == [anna.email]


def test_m5_a_person_is_found_by_the_whole_id_in_any_spelling(client, root, anna):
    client.force_login(root)

    assert found(client, f" {anna.pk} ") == found(client, anna.pk.hex.upper()) == [anna.email]


@pytest.mark.parametrize(
    "text", ["8c9d3f0e-5b7a-4c1d-9e2f-0a1b2c3d4e5f", "no-such", "7c9d3f0e-5b7a", "%", "\\", "'", "\x00", "é" * 500]
)
def test_m5_a_search_for_nothing_we_know_is_an_empty_list(client, root, anna, text):
    client.force_login(root)

    assert found(client, text) in ([], ["root@example.org", "anna@example.org"], ["anna@example.org", root.email])


def test_m5_the_list_and_a_person_open_for_who_may_only_look(client, staff, anna):
    client.force_login(staff("support@example.org", "view_user"))

    assert client.get(LIST).status_code == 200
    assert client.get(page_of(anna)).status_code == 200
    assert client.post(page_of(anna), {"email": "x@x.org"}).status_code == 403


@pytest.mark.parametrize(("answer", "emails"), [("yes", ["root@example.org"]), ("no", ["anna@example.org"])])
def test_m5_the_list_is_filtered_by_confirmed(client, root, anna, answer, emails):
    client.force_login(root)
    page = client.get(LIST, {"confirmed": answer})

    assert [user.email for user in page.context["cl"].result_list] == emails


def test_m5_who_is_no_staff_sees_nothing(client, anna):
    client.force_login(anna)

    assert client.get(page_of(anna)).status_code == 302


def test_m9_panels_of_other_apps_come_first_on_the_page_in_their_order(client, root, anna, extended):
    extended.extend(panel=lambda request, user: format_html("<p>payments of {}</p>", user.name), order=20)
    extended.extend(panel=lambda request, user: format_html("<p>{}</p>", "<subscription>"), order=10)
    client.force_login(root)
    text = client.get(page_of(anna)).text

    places = [text.index(part) for part in ("&lt;subscription&gt;", "payments of Anna Karenina", 'id="user_form"')]
    assert places == sorted(places)
    assert "payments of" not in client.get(LIST + "add/").text


def test_m5_columns_of_other_apps_cost_no_query_per_row(client, root, extended, django_assert_max_num_queries):
    extended.extend(
        columns=[admin.display(description="Subscription")(lambda user: user.state)],
        queryset=lambda users: users.annotate(state=Value("active until May")),
    )
    User.objects.bulk_create([User(email=f"u{n}@x.org") for n in range(60)])
    client.force_login(root)
    with django_assert_max_num_queries(10):
        text = client.get(LIST).text

    assert text.count("active until May") == 50


def fields(user, **change):
    """What the browser would post from the page of `user`."""
    return {"email": user.email, "name": user.name, "is_active": "on"} | change


def test_m14_without_a_role_permission_rights_cannot_be_given(client, staff, anna):
    client.force_login(staff("manager@example.org", "view_user", "change_user"))
    group = Group.objects.create(name="any")
    answer = client.post(
        page_of(anna),
        fields(anna, name="New", is_staff="on", is_superuser="on", groups=[group.pk], user_permissions=[1]),
    )
    anna.refresh_from_db()

    assert answer.status_code == 302 and anna.name == "New"
    assert not (anna.is_staff or anna.is_superuser or anna.groups.exists() or anna.user_permissions.exists())


def test_m14_nobody_raises_themselves(client, staff):
    me = staff("manager@example.org", "view_user", "change_user")
    before = set(me.user_permissions.all())
    client.force_login(me)
    client.post(page_of(me), fields(me, is_superuser="on", groups=[Group.objects.create(name="any").pk]))
    me.refresh_from_db()

    assert not me.is_superuser and not me.groups.exists() and set(me.user_permissions.all()) == before


def test_m14_who_may_assign_roles_gives_groups_but_not_superuser(client, staff, anna):
    client.force_login(staff("boss@example.org", "view_user", "change_user", "assign_roles"))
    group = Group.objects.create(name="any")
    client.post(page_of(anna), fields(anna, is_staff="on", is_superuser="on", groups=[group.pk], user_permissions=[1]))
    anna.refresh_from_db()

    assert anna.is_staff and list(anna.groups.all()) == [group]
    assert not anna.is_superuser and not anna.user_permissions.exists()


@pytest.mark.parametrize("rights", [[], ["assign_roles"]])
def test_m14_a_superuser_is_out_of_reach(client, staff, root, rights):
    client.force_login(staff("boss@example.org", "view_user", "change_user", "delete_user", *rights))
    password = reverse("admin:auth_user_password_change", args=[root.pk])

    assert client.get(page_of(root)).status_code == 200  # to look at
    assert client.post(page_of(root), fields(root, email="mine@x.org")).status_code == 403
    assert client.post(password, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403
    assert client.post(page_of(root).replace("change", "delete"), {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": [str(root.pk)], "post": "yes"}
    client.post(LIST, bulk)
    assert User.objects.filter(pk=root.pk, email="root@example.org").exists()


def test_m14_colleagues_of_higher_rank_are_out_of_reach_too(client, staff):
    boss = staff("boss@example.org", "assign_roles")
    client.force_login(staff("support@example.org", "view_user", "change_user"))
    password = reverse("admin:auth_user_password_change", args=[boss.pk])

    assert client.post(page_of(boss), fields(boss, email="mine@x.org")).status_code == 403
    assert client.post(password, {"password1": PASSWORD, "password2": PASSWORD}).status_code == 403


def test_a_person_is_added_and_asked_to_confirm(client, root, mailoutbox):
    client.force_login(root)
    body = {"email": "New@x.org", "name": "N", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    answer = client.post(LIST + "add/", body)

    user = User.objects.get(email="new@x.org")
    assert answer["Location"] == page_of(user) and user.check_password(PASSWORD) and not user.is_confirmed
    assert mailoutbox[0].to == ["new@x.org"]


def test_a_taken_email_is_refused_on_the_form(client, root, anna):
    client.force_login(root)
    answer = client.post(page_of(root), fields(root, email="ANNA@example.org"))

    assert "E-mail is taken" in answer.text


def test_a_new_email_has_to_be_confirmed_again(client, root, anna, mailoutbox):
    client.force_login(root)
    User.objects.filter(pk=anna.pk).update(email_confirmed_at="2026-01-01T00:00Z")
    client.post(page_of(anna), fields(anna, email="later@example.org"))
    anna.refresh_from_db()

    assert anna.email == "later@example.org" and not anna.is_confirmed
    assert mailoutbox[0].to == ["later@example.org"]


def test_a_new_password_is_set_ends_old_sessions_and_the_hash_is_never_shown_in_full(client, root, anna):
    stolen = str(RefreshToken.for_user(anna))
    client.force_login(root)
    url = reverse("admin:auth_user_password_change", args=[anna.pk])
    answer = client.post(
        url, {"password1": "another long title", "password2": "another long title", "set-password": "1"}
    )
    anna.refresh_from_db()

    assert answer.status_code == 302 and anna.check_password("another long title")
    assert anna.password not in client.get(page_of(anna)).text
    with pytest.raises(TokenError, match="blacklisted"):
        RefreshToken(stolen)


def test_the_confirmation_mail_is_sent_again_from_the_list(client, root, anna, mailoutbox):
    client.force_login(root)
    client.post(LIST, {"action": "send_confirmation", "_selected_action": [str(anna.pk), str(root.pk)]})

    assert [mail.to for mail in mailoutbox] == [[anna.email]]


def test_the_admin_carries_our_name(client):
    assert "Boxoffice" in client.get("/admin/login/").text
