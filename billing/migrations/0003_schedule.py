from django.db import migrations

from billing.schedule import tick, untick

TICKS = {
    "billing.tasks.deliver_events": 5,
    "billing.tasks.process_callbacks": 5,
    "billing.tasks.poll_payments": 5,
    "billing.tasks.poll_refunds": 10,
    "billing.tasks.close_checkouts": 30,
}


def forwards(apps, schema_editor):
    for task, seconds in TICKS.items():
        tick(apps, task, seconds)


def backwards(apps, schema_editor):
    for task in TICKS:
        untick(apps, task)


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_guards"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(forwards, backwards)]
