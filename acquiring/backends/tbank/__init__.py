"""T-Bank (T-Kassa, once Tinkoff): internet acquiring, MAPI v2."""

from acquiring.backends.tbank.protocol import TBank

__all__ = ["TBank"]
