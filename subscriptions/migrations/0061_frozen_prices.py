"""A price that is used never changes: whoever was told a figure is charged that figure.

The price that somebody is about to have is held from the insert on, not only from the commit (foreign keys are checked
there): a change of it, at the same time, waits and is then refused. The first terms learn the price they were billed
at, as later ones did; and the sweep that tells and moves is scheduled.
"""

from django.db import migrations

from billing.schedule import tick, untick

FROZEN = """
CREATE FUNCTION subscriptions_price_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.plan_id, NEW.amount, NEW.currency, NEW.starts_at)
                            IS NOT DISTINCT FROM (OLD.id, OLD.plan_id, OLD.amount, OLD.currency, OLD.starts_at) THEN
        RETURN NEW;
    END IF;
    PERFORM FROM subscriptions_price WHERE id = OLD.id FOR UPDATE;
    IF EXISTS (SELECT FROM subscriptions_subscription WHERE price_id = OLD.id)
       OR EXISTS (SELECT FROM subscriptions_period WHERE price_id = OLD.id)
       OR EXISTS (SELECT FROM subscriptions_pricemove
                   WHERE (to_price_id = OLD.id OR from_price_id = OLD.id) AND status <> 'draft') THEN
        RAISE EXCEPTION 'price_frozen: price % is used, and never changed or deleted', OLD.id
              USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'UPDATE' THEN NEW ELSE OLD END;
END $$;
CREATE TRIGGER price_frozen BEFORE UPDATE OR DELETE ON subscriptions_price
    FOR EACH ROW EXECUTE FUNCTION subscriptions_price_frozen();

CREATE FUNCTION subscriptions_hold_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM subscriptions_price WHERE id = NEW.price_id FOR KEY SHARE;
    RETURN NULL;
END $$;
CREATE TRIGGER subscription_holds_its_price AFTER INSERT OR UPDATE OF price_id ON subscriptions_subscription
    FOR EACH ROW EXECUTE FUNCTION subscriptions_hold_price();
"""
FROZEN_BACK = """
DROP TRIGGER subscription_holds_its_price ON subscriptions_subscription;
DROP FUNCTION subscriptions_hold_price();
DROP TRIGGER price_frozen ON subscriptions_price;
DROP FUNCTION subscriptions_price_frozen();
"""

FIRST_TERMS = """
UPDATE subscriptions_period period SET plan_id = subscription.plan_id, price_id = subscription.price_id
  FROM subscriptions_subscription subscription
 WHERE subscription.id = period.subscription_id AND period.number = 1 AND period.invoice_id IS NOT NULL
   AND period.price_id IS NULL
"""

TASK = "subscriptions.tasks.move_prices"


def forwards(apps, schema_editor):
    tick(apps, TASK, 60)


def backwards(apps, schema_editor):
    untick(apps, TASK)


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0060_price_moves"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [
        migrations.RunSQL(FIRST_TERMS, migrations.RunSQL.noop),
        migrations.RunSQL(FROZEN, FROZEN_BACK),
        migrations.RunPython(forwards, backwards),
    ]
