from django.db import migrations

from billing.schedule import tick, untick

TASK = "subscriptions.tasks.charge_hours"


def forwards(apps, schema_editor):
    tick(apps, TASK, 30)


def backwards(apps, schema_editor):
    untick(apps, TASK)


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0040_meters"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(forwards, backwards)]
