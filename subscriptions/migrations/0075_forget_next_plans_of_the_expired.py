"""An expired subscription has no next term, so it has no plan for one."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [('subscriptions', '0074_cancelled_has_no_next_plan')]

    operations = [
        migrations.RunSQL(
            "UPDATE subscriptions_subscription SET next_plan_id = NULL, next_price_id = NULL"
            " WHERE status = 'expired' AND next_plan_id IS NOT NULL",
            migrations.RunSQL.noop,
        ),
    ]
