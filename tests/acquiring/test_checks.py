"""An acquirer that is set up wrongly is told at the start."""

from __future__ import annotations

import pytest
from django.test import override_settings

from acquiring import checks

OPTIONS = {
    "url": "http://127.0.0.1:8011",
    "merchant": "m",
    "secret": "never shown",
    "callback_secrets": ["c"],
    "callback_url": "http://127.0.0.1:8000/callbacks",
    "timeout": 5,
}


def acquirers(backend: str = checks.SANDBOX, **changes: object) -> dict[str, object]:
    return {"main": {"backend": backend, "options": OPTIONS | changes}}


@override_settings(ACQUIRERS=acquirers())
def test_a_complete_acquirer_is_fine():
    assert checks.check_options() == []


@pytest.mark.parametrize("name", ["url", "merchant", "secret", "callback_secrets"])
def test_an_empty_option_is_named_with_its_acquirer(name):
    with override_settings(ACQUIRERS=acquirers(**{name: type(OPTIONS[name])()})):
        [error] = checks.check_options()
    assert error.id == "acquiring.E001"
    assert "'main'" in error.msg
    assert name in error.msg
    assert "never shown" not in str(error)


@pytest.mark.parametrize("changes", [{"callback_secrets": [""]}, {"unheard": 1}])
def test_an_option_that_makes_no_sense_is_told(changes):
    with override_settings(ACQUIRERS=acquirers(**changes)):
        assert [error.id for error in checks.check_options()] == ["acquiring.E001"]


@pytest.mark.parametrize("backend", ["acquiring.backends.nobody.Nobody", "nobody", ""])
def test_a_backend_that_cannot_be_imported_is_told(backend):
    with override_settings(ACQUIRERS=acquirers(backend)):
        [error] = checks.check_options()
    assert "cannot be imported" in error.msg


@override_settings(ACQUIRERS={})
def test_no_acquirer_at_all_is_told():
    assert [error.id for error in checks.check_options()] == ["acquiring.E002"]


@pytest.mark.parametrize(
    ("debug", "allowed", "ids"), [(True, False, []), (False, True, []), (False, False, ["acquiring.E003"])]
)
def test_the_local_bank_stays_on_a_developers_machine(debug, allowed, ids):
    with override_settings(ACQUIRERS=acquirers(), DEBUG=debug, ALLOW_SANDBOX=allowed):
        assert [error.id for error in checks.check_sandbox()] == ids


def test_more_processes_than_an_acquirer_bears_calls_are_told():
    cloud = acquirers("acquiring.backends.cloudpayments.CloudPayments")
    cloud["main"]["options"] = {"public_id": "pk_1", "api_secret": "secret"}
    with override_settings(ACQUIRERS=cloud, CALLING_PROCESSES=30):
        assert checks.check_shares_of_calls() == []
    with override_settings(ACQUIRERS=cloud | {"broken": {}}, CALLING_PROCESSES=31):
        [warning] = checks.check_shares_of_calls()
    assert (warning.id, "bears 30" in warning.msg) == ("acquiring.W005", True)
