"""Films: the list for all, a film for whoever has access."""

from datetime import timedelta

import pytest

from subscriptions import films
from tests import things
from tests.subscriptions.shopping import check_out, payment_of, settle, subscribed

pytestmark = pytest.mark.django_db
FILM = films.FILMS[0]


def test_the_list_is_open_to_all_and_locked(client, db):
    text = client.get("/films/").text

    assert all(film.title in text for film in films.FILMS) and len(films.FILMS) >= 6
    assert text.count("poster locked") == len(films.FILMS) and "See the plans" in text
    assert text.count("<svg") == len(films.FILMS) and "http://" not in text.split("<main")[1]


def test_M7_a_film_plays_with_a_subscription(browser, vera):
    subscribed(vera)

    assert "poster locked" not in browser.get("/films/").text
    page = browser.get(f"/films/{FILM.slug}/")
    assert page.status_code == 200 and "Playing" in page.text and "no-store" in page["Cache-Control"]


def test_a_film_stays_closed_without_access_and_says_how_it_opens(browser, client):
    page = browser.get(f"/films/{FILM.slug}/")
    assert page.status_code == 403 and "This film opens with a subscription" in page.text
    assert 'href="/plans/"' in page.text and "Playing" not in page.text

    client.logout()
    page = client.get(f"/films/{FILM.slug}/")
    assert page.status_code == 403 and f'href="/login/?next=%2Ffilms%2F{FILM.slug}%2F"' in page.text


def test_a_film_stays_closed_until_the_payment_is_there(browser, vera):
    check_out(browser)
    page = browser.get(f"/films/{FILM.slug}/")
    assert page.status_code == 403 and "Yours waits for its payment" in page.text
    assert f'href="/payments/{payment_of(vera).pk}/">Continue your payment</a>' in page.text
    assert "See the plans" not in page.text

    settle(payment_of(vera), things.now())
    assert browser.get(f"/films/{FILM.slug}/").status_code == 200


def test_a_film_closes_when_term_and_grace_are_over(browser, vera):
    subscribed(vera, "month", things.now() - timedelta(days=32))
    assert browser.get(f"/films/{FILM.slug}/").status_code == 200  # the days of grace

    subscribed(things.viewer(), "month", things.now())
    vera.subscriptions.update(access_until=things.now() - timedelta(seconds=1))
    assert browser.get(f"/films/{FILM.slug}/").status_code == 403


def test_a_film_of_another_role_stays_closed(browser, vera, shop):
    shop["month"].roles = ["concerts"]
    shop["month"].save()
    subscribed(vera)

    assert browser.get(f"/films/{FILM.slug}/").status_code == 403


@pytest.mark.parametrize("slug", ["nope", "../account", "%00", "a" * 300, "-"])
def test_an_unknown_film_is_no_page(browser, slug):
    assert browser.get(f"/films/{slug}/").status_code == 404


def test_films_are_only_looked_at(browser):
    assert browser.post("/films/").status_code == 405
    assert browser.post(f"/films/{FILM.slug}/").status_code == 405
