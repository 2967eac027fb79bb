"""`python -m local server|checks [arguments]`, started by script/local/launch."""

import os
import sys

from local import checks, server, stop
from local.console import say
from local.places import ROOT
from local.problem import Problem

COMMANDS = {"server": server.main, "checks": checks.main}


def main() -> int:
    stop.listen()
    os.chdir(ROOT)
    command, *arguments = sys.argv[1:]
    try:
        return COMMANDS[command](arguments)
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
