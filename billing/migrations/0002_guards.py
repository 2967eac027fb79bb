"""What no constraint of Django's can say: immutable books, one currency along every arrow, balances and refunds summed.

The database is the second guard of every rule that matters; each of these has a test that fails without it.
"""

from django.db import migrations

IMMUTABLE = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER transfer_immutable BEFORE UPDATE OR DELETE ON billing_transfer
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER event_immutable BEFORE UPDATE OR DELETE ON billing_event
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
"""
IMMUTABLE_BACK = """
DROP TRIGGER transfer_immutable ON billing_transfer;
DROP TRIGGER event_immutable ON billing_event;
DROP FUNCTION billing_refuse_change();
"""

ONE_CURRENCY = """
ALTER TABLE billing_transfer ADD CONSTRAINT transfer_debit_currency
    FOREIGN KEY (debit_id, currency) REFERENCES billing_account (id, currency);
ALTER TABLE billing_transfer ADD CONSTRAINT transfer_credit_currency
    FOREIGN KEY (credit_id, currency) REFERENCES billing_account (id, currency);
ALTER TABLE billing_invoice ADD CONSTRAINT invoice_account_currency
    FOREIGN KEY (account_id, currency) REFERENCES billing_account (id, currency);
ALTER TABLE billing_payment ADD CONSTRAINT payment_invoice_currency
    FOREIGN KEY (invoice_id, currency) REFERENCES billing_invoice (id, currency);
ALTER TABLE billing_refund ADD CONSTRAINT refund_payment_currency
    FOREIGN KEY (payment_id, currency) REFERENCES billing_payment (id, currency);
"""
ONE_CURRENCY_BACK = """
ALTER TABLE billing_transfer DROP CONSTRAINT transfer_debit_currency;
ALTER TABLE billing_transfer DROP CONSTRAINT transfer_credit_currency;
ALTER TABLE billing_invoice DROP CONSTRAINT invoice_account_currency;
ALTER TABLE billing_payment DROP CONSTRAINT payment_invoice_currency;
ALTER TABLE billing_refund DROP CONSTRAINT refund_payment_currency;
"""

# Wallets are what we owe: a credit raises them, a debit lowers them; CHECK account_never_below_zero does the rest.
BALANCES = """
CREATE FUNCTION billing_keep_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE billing_account
       SET balance = balance + CASE WHEN id = NEW.credit_id THEN NEW.amount ELSE -NEW.amount END
     WHERE id IN (NEW.debit_id, NEW.credit_id) AND kind = 'wallet';
    RETURN NULL;
END $$;
CREATE TRIGGER transfer_keeps_balance AFTER INSERT ON billing_transfer
    FOR EACH ROW EXECUTE FUNCTION billing_keep_balance();
"""
BALANCES_BACK = """
DROP TRIGGER transfer_keeps_balance ON billing_transfer;
DROP FUNCTION billing_keep_balance();
"""

# By differences, not by summing anew: two refunds at once do not see each other's rows, but queue for the payment's.
REFUNDED = """
CREATE FUNCTION billing_keep_refunded() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before bigint := 0;
    now_counts bigint := 0;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'refunds are never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.amount <> NEW.amount OR OLD.payment_id <> NEW.payment_id THEN
            RAISE EXCEPTION 'a refund keeps its amount and its payment' USING ERRCODE = 'restrict_violation';
        END IF;
        before := CASE WHEN OLD.status = 'failed' THEN 0 ELSE OLD.amount END;
    END IF;
    now_counts := CASE WHEN NEW.status = 'failed' THEN 0 ELSE NEW.amount END;
    IF now_counts <> before THEN
        UPDATE billing_payment SET refunded = refunded + now_counts - before WHERE id = NEW.payment_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refund_keeps_sum AFTER INSERT OR UPDATE OR DELETE ON billing_refund
    FOR EACH ROW EXECUTE FUNCTION billing_keep_refunded();
"""
REFUNDED_BACK = """
DROP TRIGGER refund_keeps_sum ON billing_refund;
DROP FUNCTION billing_keep_refunded();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        migrations.RunSQL(IMMUTABLE, IMMUTABLE_BACK),
        migrations.RunSQL(ONE_CURRENCY, ONE_CURRENCY_BACK),
        migrations.RunSQL(BALANCES, BALANCES_BACK),
        migrations.RunSQL(REFUNDED, REFUNDED_BACK),
    ]
