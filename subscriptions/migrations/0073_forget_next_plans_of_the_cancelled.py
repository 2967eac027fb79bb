"""A cancelled subscription has no next term, so it has no plan for one."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [('subscriptions', '0072_the_guard_of_renewals_looks_by_an_index')]

    operations = [
        migrations.RunSQL(
            "UPDATE subscriptions_subscription SET next_plan_id = NULL, next_price_id = NULL"
            " WHERE status IN ('cancelled', 'ended') AND next_plan_id IS NOT NULL",
            migrations.RunSQL.noop,
        ),
    ]
