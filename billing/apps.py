from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from acquiring import checks  # noqa: F401  registers the system checks of acquirers
        from billing import checks as promises  # noqa: F401  registers what the audit asks
