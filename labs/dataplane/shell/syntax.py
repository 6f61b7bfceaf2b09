"""From the text of a shell script to its parts.

Source: POSIX.1-2017, Shell Command Language (2.3 token recognition, 2.9 shell commands), the part that manifests use:
lists, pipelines, redirections, quoting, while, until, for, if, groups. Anything else is a SyntaxFault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

OPERATORS = ("&&", "||", ">>", ";;", ";", "|", "&", ">", "<", "(", ")", "\n")
_RESERVED_ENDS = ("then", "else", "elif", "fi", "do", "done", "}", ")")


class SyntaxFault(Exception):
    """A script that this shell does not read; the text is what a shell would say."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it was written, or an operator."""

    text: str
    is_operator: bool = False
    is_descriptor: bool = False
    """Whether it is the number right before a redirection."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """``fd`` goes to ``target``: a word for a file, or ``&1`` and ``&2``; ``mode`` is >, >> or <."""

    fd: int
    mode: str
    target: str


@dataclass(frozen=True, slots=True)
class Simple:
    """Assignments, words and redirections; ``is_literal``: the words are taken as they are."""

    assignments: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    is_literal: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """``while`` or ``until``."""

    condition: Script
    body: Script
    is_until: bool


@dataclass(frozen=True, slots=True)
class For:
    """``for name in words``."""

    name: str
    words: tuple[str, ...]
    body: Script


@dataclass(frozen=True, slots=True)
class If:
    """Conditions with what follows each; ``otherwise`` may be empty."""

    branches: tuple[tuple[Script, Script], ...]
    otherwise: Script


@dataclass(frozen=True, slots=True)
class Group:
    """``{ ... }``, or ``( ... )``, which keeps its variables to itself."""

    body: Script
    is_subshell: bool
    redirects: tuple[Redirect, ...] = ()


Command = Simple | Loop | For | If | Group


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands whose outputs feed the next; ``joins`` is how it follows the pipeline before: ;, && or ||."""

    commands: tuple[Command, ...]
    is_negated: bool = False
    joins: str = ";"


Script = tuple[Pipeline, ...]


def tokens_of(text: str) -> list[Token]:
    """Words and operators. Raises SyntaxFault for a quote without its end."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char in " \t" or text.startswith("\\\n", position):
            position += 2 if char == "\\" else 1
        elif char == "#":
            position = text.find("\n", position) if "\n" in text[position:] else len(text)
        elif (operator := next((each for each in OPERATORS if text.startswith(each, position)), None)) is not None:
            found.append(Token(operator, True))
            position += len(operator)
        else:
            end = _word_end(text, position)
            word = text[position:end]
            found.append(Token(word, is_descriptor=word in ("1", "2") and text[end : end + 1] == ">"))
            position = end
    return found


def _word_end(text: str, position: int) -> int:
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 2
        elif char in "'\"`" or text.startswith(("$(", "${"), position):
            position = quoted_end(text, position)
        elif char in " \t" or any(text.startswith(each, position) for each in OPERATORS):
            break
        else:
            position += 1
    return min(position, len(text))


def quoted_end(text: str, position: int) -> int:
    """Where what is quoted or substituted from ``position`` on ends. Raises SyntaxFault."""
    char = text[position]
    if char == "'":
        return _past(text, "'", position + 1)
    if char == "$":
        closing = {"(": ")", "{": "}"}[text[position + 1]]
        position += 2
    else:
        closing, position = char, position + 1
    depth = 0
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 2
            continue
        if char == closing and not depth:
            return position + 1
        if text.startswith(("$(", "${"), position) or (char in "'\"" and closing in ")}"):
            position = quoted_end(text, position)
            continue
        if closing == ")" and char in "()":
            depth += 1 if char == "(" else -1
        position += 1
    raise SyntaxFault(f"unterminated quoted string: {closing}")


def _past(text: str, char: str, position: int) -> int:
    end = text.find(char, position)
    if end < 0:
        raise SyntaxFault("unterminated quoted string")
    return end + 1


def parse(text: str) -> Script:
    """The script. Raises SyntaxFault."""
    try:
        parser = _Parser(tokens_of(text))
        script = parser.script()
    except RecursionError:
        raise SyntaxFault("syntax error: nested too deeply") from None
    if not parser.is_done:
        raise SyntaxFault(f'syntax error: unexpected "{parser.peek()}"')
    return script


def literal(words: Sequence[str]) -> Script:
    """One command whose words are taken as they are, as a container's ``command`` is."""
    return _literal(tuple(words))


@lru_cache(maxsize=1024)
def _literal(words: tuple[str, ...]) -> Script:
    return (Pipeline((Simple(words=words, is_literal=True),)),)


class _Parser:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._tokens)

    def peek(self) -> str:
        return "" if self.is_done else self._tokens[self._at].text

    def _is_operator(self, *texts: str) -> bool:
        return not self.is_done and self._tokens[self._at].is_operator and self.peek() in texts

    def _is_word(self, *texts: str) -> bool:
        return not self.is_done and not self._tokens[self._at].is_operator and (not texts or self.peek() in texts)

    def _take(self) -> str:
        text = self.peek()
        self._at += 1
        return text

    def _expect(self, text: str) -> None:
        if self.peek() != text:
            raise SyntaxFault(f'syntax error: unexpected "{self.peek() or "end of file"}" (expecting "{text}")')
        self._at += 1

    def script(self) -> Script:
        pipelines: list[Pipeline] = []
        joins = ";"
        while True:
            while self._is_operator(";", "\n"):
                self._take()
            if self.is_done or self._is_word(*_RESERVED_ENDS) or self._is_operator(")"):
                return tuple(pipelines)
            pipelines.append(self._pipeline(joins))
            if self._is_operator("&&", "||"):
                joins = self._take()
                while self._is_operator("\n"):
                    self._take()
            elif self._is_operator(";", "\n"):
                joins = ";"
            elif not self.is_done and not self._is_operator(")"):
                raise SyntaxFault(f'syntax error: unexpected "{self.peek()}"')

    def _pipeline(self, joins: str) -> Pipeline:
        is_negated = self._is_word("!")
        if is_negated:
            self._take()
        commands = [self._command()]
        while self._is_operator("|"):
            self._take()
            commands.append(self._command())
        return Pipeline(tuple(commands), is_negated, joins)

    def _command(self) -> Command:
        if self._is_word("while", "until"):
            is_until = self._take() == "until"
            condition = self.script()
            return Loop(condition, self._do(), is_until)
        if self._is_word("for"):
            return self._for()
        if self._is_word("if"):
            return self._if()
        if self._is_word("{") or self._is_operator("("):
            closing = {"{": "}", "(": ")"}[self._take()]
            body = self.script()
            self._expect(closing)
            return Group(body, closing == ")", tuple(self._redirects()))
        return self._simple()

    def _do(self) -> Script:
        self._expect("do")
        body = self.script()
        self._expect("done")
        return body

    def _for(self) -> For:
        self._take()
        name = self._take()
        words: list[str] = []
        self._expect("in")
        while self._is_word():
            words.append(self._take())
        while self._is_operator(";", "\n"):
            self._take()
        return For(name, tuple(words), self._do())

    def _if(self) -> If:
        branches: list[tuple[Script, Script]] = []
        while self._is_word("if", "elif"):
            self._take()
            condition = self.script()
            self._expect("then")
            branches.append((condition, self.script()))
        otherwise: Script = ()
        if self._is_word("else"):
            self._take()
            otherwise = self.script()
        self._expect("fi")
        return If(tuple(branches), otherwise)

    def _simple(self) -> Simple:
        assignments: list[str] = []
        words: list[str] = []
        redirects: list[Redirect] = []
        while not self.is_done:
            redirects += self._redirects()
            if not self._is_word():
                break
            text = self._take()
            if not words and _is_assignment(text):
                assignments.append(text)
            else:
                words.append(text)
        if not (words or assignments or redirects):
            raise SyntaxFault(f'syntax error: unexpected "{self.peek() or "end of file"}"')
        if words and words[0] in ("case", "function", "select"):
            raise SyntaxFault(f"{words[0]}: not supported")
        return Simple(tuple(assignments), tuple(words), tuple(redirects))

    def _redirects(self) -> Iterator[Redirect]:
        while True:
            fd: int | None = None
            if not self.is_done and self._tokens[self._at].is_descriptor:
                fd = int(self._take())
            if not self._is_operator(">", ">>", "<"):
                return
            mode = self._take()
            if self._is_operator("&"):
                self._take()
                target = f"&{self._take()}"
            else:
                target = self._take()
            yield Redirect(fd if fd is not None else int(mode != "<"), mode, target)


def _is_assignment(text: str) -> bool:
    name, equals, _ = text.partition("=")
    return bool(equals) and name.isidentifier()


def command_names(script: Script) -> Iterator[str]:
    """The first word of every simple command in a script, as written; substitutions included.

    Raises SyntaxFault for a substitution that is no script.
    """
    for pipeline in script:
        for command in pipeline.commands:
            for word in _words(command):
                for text in substitutions(word):
                    yield from command_names(parse(text))
            if isinstance(command, Simple):
                if command.words:
                    yield command.words[0]
                continue
            for part in _parts(command):
                yield from command_names(part)


def substitutions(word: str) -> Iterator[str]:
    """The scripts that run before a word has its text: ``$(...)`` and back quotes, in double quotes too."""
    position, is_in_quotes = 0, False
    while position < len(word):
        end = position + 1
        if word[position] == "\\":
            end += 1
        elif word[position] == '"':
            is_in_quotes = not is_in_quotes
        elif word[position] == "`" or (word[position] == "'" and not is_in_quotes):
            end = quoted_end(word, position)
            if word[position] == "`":
                yield word[position + 1 : end - 1]
        elif word.startswith("$(", position) and not word.startswith("$((", position):
            end = quoted_end(word, position)
            yield word[position + 2 : end - 1]
        position = end


def _words(command: Command) -> tuple[str, ...]:
    """What a command itself expands; what its parts do is theirs."""
    if isinstance(command, Simple):
        targets = tuple(redirect.target for redirect in command.redirects)
        return () if command.is_literal else (*command.assignments, *command.words, *targets)
    return command.words if isinstance(command, For) else ()


def _parts(command: Loop | For | If | Group) -> list[Script]:
    if isinstance(command, Loop):
        return [command.condition, command.body]
    if isinstance(command, If):
        return [*(part for branch in command.branches for part in branch), command.otherwise]
    return [command.body]
