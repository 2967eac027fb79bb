"""What can be wrong with meters, and the checks that find it."""

METERS = {
    "meter.charged": ["UPDATE subscriptions_meter SET carry = 0, since = since - interval '1 hour'"],
    "meter.booked": ["UPDATE billing_transfer SET amount = amount - 1 WHERE reference LIKE 'meter:%'"],
    "meter.covered": [
        "UPDATE subscriptions_subscription SET access_until = access_until + interval '1 hour' WHERE id IN"
        " (SELECT subscription_id FROM subscriptions_meter)",
        "UPDATE billing_transfer SET booked_at = now() - interval '60 days'",
    ],
    "meter.no_terms": [
        "UPDATE subscriptions_subscription SET auto_renew = true, renewal_consent_at = now() WHERE id IN"
        " (SELECT subscription_id FROM subscriptions_meter)"
    ],
    "meter.moves_on": ["UPDATE subscriptions_meter SET next_tick_at = NULL"],
    "meter.paid": [
        "UPDATE subscriptions_subscription SET valid_till = valid_till + interval '1 hour' WHERE id IN"
        " (SELECT subscription_id FROM subscriptions_meter)"
    ],
}
