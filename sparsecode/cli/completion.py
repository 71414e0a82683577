"""``sparsecode completion``: what a shell needs to complete commands, options and their values."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["SHELLS", "run", "script"]

SHELLS = ("bash", "zsh", "fish")


class _Option(NamedTuple):
    """One option of a command, or its positional argument, which has no names."""

    names: list[str]
    choices: list[str]
    takes_value: bool
    is_path: bool
    help: str


def run(arguments: argparse.Namespace) -> None:
    """Print the script for a shell."""
    from sparsecode.cli.main import build_parser

    sys.stdout.write(script(build_parser(), arguments.shell))


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that lets a shell complete the commands of a parser.

    Parameters
    ----------
    parser : ArgumentParser
        With subcommands.
    shell : {"bash", "zsh", "fish"}
        Whose script. That of zsh is bash's, which zsh's own ``bashcompinit`` reads.

    Returns
    -------
    str
    """
    commands = {"": _options(parser), **{n: _options(p) for n, p in _commands(parser).items()}}
    helps = _helps(parser)
    if shell == "fish":
        return _fish(parser.prog, commands, helps)
    text = _bash(parser.prog, commands)
    if shell == "zsh":
        text = f"#compdef {parser.prog}\nautoload -U +X bashcompinit && bashcompinit\n{text}"
    return text


def _subparsers(parser: argparse.ArgumentParser) -> Any:
    return next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return dict(_subparsers(parser).choices)


def _helps(parser: argparse.ArgumentParser) -> dict[str, str]:
    return {each.dest: each.help or "" for each in _subparsers(parser)._choices_actions}


def _options(parser: argparse.ArgumentParser) -> list[_Option]:
    return [
        _Option(
            list(action.option_strings),
            [str(choice) for choice in action.choices or ()],
            action.nargs != 0,
            action.type is Path,
            (action.help or "").partition(";")[0].rstrip(".").replace("'", "").replace("`", ""),
        )
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction)
    ]


def _bash(prog: str, commands: dict[str, list[_Option]]) -> str:
    function = "_" + prog.replace("-", "_")
    named = [name for name in commands if name]
    values, words, others = [], [], []
    for command, options in commands.items():
        flags = " ".join(name for option in options for name in option.names)
        words.append(f'        "{command}") words="{flags}" ;;')
        for option in options:
            offer = f'-W "{" ".join(option.choices)}"' if option.choices else "-f"
            if not option.names:
                others.append(f'        "{command}") offer=({offer}) ;;')
            elif option.takes_value:
                cases = " | ".join(f'"{command} {name}"' for name in option.names)
                known = option.choices or option.is_path
                values.append(f"        {cases}) {f'offer=({offer})' if known else 'return'} ;;")
    lines = [
        f"{function}() {{",
        '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
        '    local command="" words="" i',
        "    local -a offer",
        "    COMPREPLY=()",
        "    for ((i = 1; i < COMP_CWORD; i++)); do",
        f'        case "${{COMP_WORDS[i]}}" in {" | ".join(named)})',
        '            command="${COMP_WORDS[i]}"; break ;;',
        "        esac",
        "    done",
        '    case "$command $previous" in',
        *values,
        "    esac",
        "    if [[ ${#offer[@]} -eq 0 && $current == -* ]]; then",
        '        case "$command" in',
        *words,
        "        esac",
        '        offer=(-W "$words")',
        '    elif [[ ${#offer[@]} -eq 0 && -z "$command" ]]; then',
        f'        offer=(-W "{" ".join(named)}")',
        "    elif [[ ${#offer[@]} -eq 0 ]]; then",
        '        case "$command" in',
        *others,
        "        *) return ;;",
        "        esac",
        "    fi",
        "    local line",
        "    while IFS= read -r line; do",
        '        COMPREPLY+=("$line")',
        '    done < <(compgen "${offer[@]}" -- "$current")',
        "}",
        f"complete -o filenames -F {function} {prog}",
    ]
    return "\n".join(lines) + "\n"


def _fish(prog: str, commands: dict[str, list[_Option]], helps: dict[str, str]) -> str:
    named = " ".join(name for name in commands if name)
    lines = [f"complete -c {prog} -f"]
    for command, options in commands.items():
        where = f"__fish_seen_subcommand_from {command}"
        if not command:
            where = f"not __fish_seen_subcommand_from {named}"
            lines += [f"complete -c {prog} -n '{where}' -a {n} -d '{helps[n]}'" for n in helps]
        for option in options:
            start = f"complete -c {prog} -n '{where}'"
            offer = f" -a '{' '.join(option.choices)}'" if option.choices else ""
            if not option.names:
                lines.append(start + (offer or " -F"))
                continue
            flags = "".join(
                f" -l {n[2:]}" if n.startswith("--") else f" -s {n[1:]}" for n in option.names
            )
            if option.takes_value:
                flags += " -r -F" if option.is_path and not offer else " -x"
            lines.append(f"{start}{flags}{offer} -d '{option.help}'")
    return "\n".join(lines) + "\n"
