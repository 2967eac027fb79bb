"""The two web applications over the bank: the whole of it, and the merchant API alone."""

from __future__ import annotations

from flask import Flask

from acquiring.bank.api import api
from acquiring.bank.cloudpayments.routes import cloudpayments
from acquiring.bank.control import control
from acquiring.bank.house import Bank
from acquiring.bank.pages import pages
from acquiring.bank.stripe.api import stripe
from acquiring.bank.tbank.api import tbank
from acquiring.bank.yookassa.api import yookassa


def create_public_app(bank: Bank) -> Flask:
    """The whole bank: merchant API, customers' pages, control page."""
    app = create_api_app(bank)
    app.register_blueprint(pages)
    app.register_blueprint(control)
    return app


def create_api_app(bank: Bank) -> Flask:
    """The merchant API alone, for the port that the `refuse` fault closes."""
    app = Flask("acquiring.bank", static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = True  # Hangup must reach the server
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.extensions["bank"] = bank
    app.register_blueprint(api)
    app.register_blueprint(cloudpayments)
    app.register_blueprint(stripe)
    app.register_blueprint(tbank)
    app.register_blueprint(yookassa)
    return app
