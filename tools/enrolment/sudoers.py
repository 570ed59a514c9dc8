"""The least rights of a server's account, as a file for `/etc/sudoers.d`; pure.

Each command has its full path and exactly its arguments. Every character that sudo gives a meaning
is escaped, so that no command reaches further than the tool that needs it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from guardia.errors import Refused
from guardia.i18n import t
from guardia.tools.tool import PatternWord, Right

_PATH = re.compile(r"/[A-Za-z0-9._/+@-]+")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f]")
_SPECIAL = re.compile(r"([#:,= ])")
_GLOB = re.compile(r"([*?\[\]!^])")
_WIDTH = 90


def render(
    account: str,
    rights: Mapping[str, Sequence[Right]],
    *,
    server: str,
    password: bool = False,
    skip: bool = False,
) -> str:
    """Return the file: one alias for each action.

    Raises `Refused` if a command cannot be exact; with `skip` the file says so instead.
    """
    lines = [f"# {t('enrolment.sudoers.head', server=server)}"]
    names = []
    for tool, commands in sorted(rights.items()):
        if not commands:
            continue
        name = "GUARDIA_" + re.sub(r"[^A-Z0-9]", "_", tool.upper())
        try:
            rendered = ", \\\n    ".join(render_command(tool, command) for command in commands)
        except Refused as error:
            if not skip:
                raise
            lines.append(f"# {_UNWRITABLE.sub('?', str(error))}")
            continue
        names.append(name)
        lines.append(f"Cmnd_Alias {name} = {rendered}")
    if not names:
        return "\n".join([*lines, f"# {t('enrolment.sudoers.none')}", ""])
    tag = "PASSWD" if password else "NOPASSWD"
    lines.append(f"{_user(account)} ALL=(root) {tag}: " + ", \\\n    ".join(names))
    return "\n".join(lines) + "\n"


def render_command(tool: str, right: Right) -> str:
    """Return one command as sudoers has it. Raises `Refused` if it cannot be written exactly."""
    program, *arguments = right
    if not _PATH.fullmatch(program) or ".." in program.split("/") or program.endswith("/"):
        raise Refused(why=t("enrolment.sudoers.path", tool=tool, program=program))
    for argument in arguments:
        if not argument or _UNWRITABLE.search(argument):
            raise Refused(why=t("enrolment.sudoers.argument", tool=tool, argument=repr(argument)))
    # Without arguments sudo would permit any; two quotes permit none.
    words = [_word(argument) for argument in arguments] or ['""']
    return " ".join([program, *words])


def _word(argument: str) -> str:
    return argument.pattern if isinstance(argument, PatternWord) else _escape(argument)


def _user(account: str) -> str:
    """Escape what would not belong to the name of a user."""
    return re.sub(r"([\\\\@!=:,()\" ])", r"\\\1", account)


def _escape(text: str) -> str:
    """Escape what the file's syntax and the comparison of arguments would interpret.

    A backslash is read twice: by the syntax, and by the pattern that arguments are compared with.
    """
    plain = text.replace("\\", "\\\\\\\\")
    return _GLOB.sub(r"\\\1", _SPECIAL.sub(r"\\\1", plain))
