"""A term paid or given ahead, after a trial or days for nothing, once put the anchor into the future: no access till then.

Whole years back keep the day of the month; the anchor is never earlier than it need be.
"""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [('subscriptions', '0077_plans_begin')]

    operations = [
        migrations.RunSQL(
            "UPDATE subscriptions_subscription subscription SET anchor_at = anchor_at - make_interval("
            " years => 1 + floor(extract(epoch FROM anchor_at - now()) / 31557600)::int)"
            " WHERE anchor_at > now() AND status IN ('active', 'past_due', 'cancelled') AND EXISTS ("
            " SELECT FROM subscriptions_period period WHERE period.subscription_id = subscription.id"
            " AND period.starts_at <= now() AND period.ends_at > now())",
            migrations.RunSQL.noop,
        ),
    ]
