from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import (
            audit,  # noqa: F401  registers what the audit asks
            handlers,  # noqa: F401  registers what to do on events
        )
