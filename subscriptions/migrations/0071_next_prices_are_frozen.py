"""A price that was chosen for somebody's next term is used, too: it never changes."""

from importlib import import_module

from django.db import migrations

FIRST = import_module("subscriptions.migrations.0061_frozen_prices")
OF_NOW, OF_NOW_OR_NEXT = "WHERE price_id = OLD.id)\n       OR EXISTS (SELECT FROM subscriptions_period", (
    "WHERE price_id = OLD.id OR next_price_id = OLD.id)\n       OR EXISTS (SELECT FROM subscriptions_period"
)
FUNCTION = FIRST.FROZEN[: FIRST.FROZEN.index("CREATE TRIGGER")].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
HOLD = """
CREATE FUNCTION subscriptions_hold_next_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM subscriptions_price WHERE id = NEW.next_price_id FOR KEY SHARE;
    RETURN NULL;
END $$;
CREATE TRIGGER subscription_holds_its_next_price AFTER UPDATE OF next_price_id ON subscriptions_subscription
    FOR EACH ROW WHEN (NEW.next_price_id IS NOT NULL) EXECUTE FUNCTION subscriptions_hold_next_price();
"""
HOLD_BACK = """
DROP TRIGGER subscription_holds_its_next_price ON subscriptions_subscription;
DROP FUNCTION subscriptions_hold_next_price();
"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0070_changes")]

    operations = [
        migrations.RunSQL(FUNCTION.replace(OF_NOW, OF_NOW_OR_NEXT), FUNCTION),
        migrations.RunSQL(HOLD, HOLD_BACK),
    ]
