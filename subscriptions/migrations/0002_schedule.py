from django.db import migrations

from billing.schedule import tick, untick

TICKS = {
    "subscriptions.tasks.end_terms": 30,
}


def forwards(apps, schema_editor):
    for task, seconds in TICKS.items():
        tick(apps, task, seconds)


def backwards(apps, schema_editor):
    for task in TICKS:
        untick(apps, task)


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0001_initial"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(forwards, backwards)]
