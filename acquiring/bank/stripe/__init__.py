"""The bank speaks Stripe's protocol, at /stripe/v1/."""
