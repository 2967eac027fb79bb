from django.db import migrations

from billing.schedule import tick, untick

TASK = "subscriptions.tasks.begin_plans"


def forwards(apps, schema_editor):
    tick(apps, TASK, 30)


def backwards(apps, schema_editor):
    untick(apps, TASK)


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0076_a_paid_plan_begins_with_its_term"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(forwards, backwards)]
