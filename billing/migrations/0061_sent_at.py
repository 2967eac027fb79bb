
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0060_request_keys_are_pruned'),
    ]

    operations = [
        migrations.AddField(
            model_name='case',
            name='sent_at',
            field=models.DateTimeField(blank=True, help_text='When the acquirer was last asked to give it back.', null=True),
        ),
        migrations.AddField(
            model_name='payment',
            name='sent_at',
            field=models.DateTimeField(blank=True, help_text='When it was given to the acquirer again.', null=True),
        ),
        migrations.AddField(
            model_name='refund',
            name='sent_at',
            field=models.DateTimeField(blank=True, help_text='When it was last given to the acquirer.', null=True),
        ),
        # What is under way already was sent, for all that is known.
        migrations.RunSQL(
            "UPDATE billing_refund SET sent_at = created_at WHERE status IN ('created', 'pending', 'unknown')",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            "UPDATE billing_case SET sent_at = created_at WHERE status = 'open' AND EXISTS ("
            "SELECT FROM billing_transfer WHERE reference = 'case:' || billing_case.id)",
            migrations.RunSQL.noop,
        ),
    ]
