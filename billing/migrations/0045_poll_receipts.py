from django.db import migrations

from billing.schedule import tick, untick

TASK = "billing.tasks.poll_receipts"


def forwards(apps, schema_editor):
    tick(apps, TASK, 60)


def backwards(apps, schema_editor):
    untick(apps, TASK)


class Migration(migrations.Migration):
    dependencies = [("billing", "0044_receipts"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(forwards, backwards)]
