from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from acquiring import checks  # registers the acquirers' system checks

        checks.register()
