from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    name = "subscriptions"

    def ready(self) -> None:
        from subscriptions import (
            audit,  # noqa: F401  registers what the audit asks
            handlers,  # noqa: F401  registers what to do on events
            meter_checks,  # noqa: F401  registers what the audit asks
        )
