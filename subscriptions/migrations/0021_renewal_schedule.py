from datetime import timedelta

from django.db import migrations, models

from billing.schedule import tick, untick

TICKS = {
    "subscriptions.tasks.renew": 30,
    "subscriptions.tasks.remind": 60,
}


def forwards(apps, schema_editor):
    for task, seconds in TICKS.items():
        tick(apps, task, seconds)
    # Terms that run already are reminded of as those that begin from now on.
    apps.get_model("subscriptions", "Subscription").objects.filter(status="active", valid_till__isnull=False).update(
        remind_at=models.F("valid_till") - timedelta(days=3)
    )


def backwards(apps, schema_editor):
    for task in TICKS:
        untick(apps, task)


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0020_renewals"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(forwards, backwards)]
