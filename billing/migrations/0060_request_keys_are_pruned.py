from django.db import migrations, models

from billing.schedule import tick, untick

TASK = "billing.tasks.prune_request_keys"


def forwards(apps, schema_editor):
    tick(apps, TASK, 24 * 3600)


def backwards(apps, schema_editor):
    untick(apps, TASK)


class Migration(migrations.Migration):
    dependencies = [("billing", "0046_widget_of_a_payment"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [
        migrations.AddIndex(
            model_name="requestkey",
            index=models.Index(fields=["created_at"], name="request_key_created"),
        ),
        migrations.RunPython(forwards, backwards),
    ]
