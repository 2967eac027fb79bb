"""The database counts redemptions: whatever writes one, a code's limits hold, and what was used is never taken back."""

from django.db import migrations

COUNT = """
CREATE FUNCTION subscriptions_count_redemption() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    most integer;
    before integer := CASE WHEN TG_OP = 'INSERT' THEN 0 ELSE (NOT OLD.renews AND OLD.released_at IS NULL)::int END;
    after integer := CASE WHEN TG_OP = 'DELETE' THEN 0 ELSE (NOT NEW.renews AND NEW.released_at IS NULL)::int END;
BEGIN
    IF TG_OP = 'UPDATE' AND ((OLD.promo_code_id, OLD.user_id, OLD.invoice_id, OLD.renews, OLD.saved)
                             <> (NEW.promo_code_id, NEW.user_id, NEW.invoice_id, NEW.renews, NEW.saved)
                             OR OLD.used_at <> NEW.used_at OR OLD.released_at <> NEW.released_at
                             OR (OLD.used_at IS NOT NULL AND NEW.used_at IS NULL)
                             OR (OLD.released_at IS NOT NULL AND NEW.released_at IS NULL)) THEN
        RAISE EXCEPTION 'a redemption is used or released once' USING ERRCODE = 'restrict_violation';
    END IF;
    IF after <> before THEN
        UPDATE subscriptions_promocode SET taken = taken + after - before
         WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.promo_code_id ELSE NEW.promo_code_id END
         RETURNING per_user_limit INTO most;
    END IF;
    IF after > before AND most < (
        SELECT count(*) FROM subscriptions_redemption
         WHERE promo_code_id = NEW.promo_code_id AND user_id = NEW.user_id AND NOT renews AND released_at IS NULL
    ) THEN
        RAISE EXCEPTION 'promo_code_within_limit_of_a_user: % uses by one customer and no more', most
            USING ERRCODE = 'check_violation', CONSTRAINT = 'promo_code_within_limit_of_a_user';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER redemption_counted AFTER INSERT OR UPDATE OR DELETE ON subscriptions_redemption
    FOR EACH ROW EXECUTE FUNCTION subscriptions_count_redemption();
"""
COUNT_BACK = """
DROP TRIGGER redemption_counted ON subscriptions_redemption;
DROP FUNCTION subscriptions_count_redemption();
"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0050_discounts")]

    operations = [migrations.RunSQL(COUNT, COUNT_BACK)]
