from django.db import migrations

# Over the API a subscription by the hour could agree to renew by a card.
FORGET = """
    UPDATE subscriptions_subscription SET auto_renew = false, next_charge_at = NULL, remind_at = NULL
     WHERE id IN (SELECT subscription_id FROM subscriptions_meter) AND (auto_renew OR next_charge_at IS NOT NULL)"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0079_fewer_indexes")]

    operations = [migrations.RunSQL(FORGET, migrations.RunSQL.noop)]
