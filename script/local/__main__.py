"""`python -m local server|checks [arguments]`, started by script/local/launch."""

import importlib
import os
import sys

from local import stop
from local.console import say
from local.places import ROOT
from local.problem import Problem


def main() -> int:
    stop.listen()
    os.chdir(ROOT)
    command, *arguments = sys.argv[1:]
    try:
        # Imported here: a signal should find its handler in place as early as possible.
        status: int = importlib.import_module(f"local.{command}").main(arguments)
        return status
    except Problem as problem:
        say(f"\n{problem}", error=True)
        return 1
    except PermissionError as error:
        say(
            f"\n{error.filename}: {error.strerror}. Does it belong to another account, after a start as root?",
            error=True,
        )
        return 1
    except stop.Stop as reason:
        return 128 + reason.signal


if __name__ == "__main__":
    sys.exit(main())
