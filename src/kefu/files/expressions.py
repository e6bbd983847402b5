"""Expressions of a mapping: small formulas over the columns of a row, with no way to do anything else.

The text is split into words by our own scanner (so that ``if(…)``, ``=``, ``<>``, ``null`` and `` `odd names` `` may be
written), parsed by Python's parser, held to a short list of allowed constructions and compiled to one Python
function of the columns it uses. Numbers are integers or decimals, never floating.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Literal, NoReturn

from kefu.files.cells import Cell, Column, Problem, SpoiledError, UnfitError, as_number, shown
from kefu.files.formats import compile_format
from kefu.files.functions import FUNCTIONS, SYNONYMS, Function, file_functions
from kefu.files.operators import Number, Operators
from kefu.files.zones import Zone

ReferenceKind = Literal["name", "column", "field"]


@dataclass(frozen=True)
class Reference:
    """Something an expression reads: ``column`` of the file, ``field`` mapped before, or just a ``name``."""

    kind: ReferenceKind
    name: str


@dataclass(frozen=True)
class Expression:
    """A compiled expression: ``function`` takes one cell per reference, in their order."""

    text: str
    references: tuple[Reference, ...]
    function: Callable[..., Cell] = field(compare=False)

    def over(self, columns: list[Column], size: int) -> Column:
        """The value for each row; a row that cannot be computed gives a `Problem`."""
        function = self.function
        results: Column = []
        append = results.append
        rows = zip(*columns, strict=True) if columns else ((),) * size
        for cells in rows:
            try:
                append(function(*cells))
            except SpoiledError as spoiled:
                append(spoiled.problem)
            except UnfitError as misfit:
                append(self._problem(misfit.reason, cells))
            except (ArithmeticError, TypeError, ValueError, re.error) as error:
                append(self._problem(_plain_reason(error), cells))
        return results

    def _problem(self, reason: str, cells: tuple[Cell, ...]) -> Problem:
        names = ", ".join(reference.name for reference in self.references)
        values = ", ".join("unknown" if cell is None else shown(cell, 120) or "" for cell in cells)
        return Problem(f"cannot compute: {reason}", names or None, values or None)


def _plain_reason(error: Exception) -> str:
    if isinstance(error, ZeroDivisionError):
        return "division by zero"
    if isinstance(error, ArithmeticError):
        return "the number is out of range"
    if isinstance(error, re.error):
        return f"the pattern is not valid ({error})"
    return "these values do not go together"


# --- scanning -------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<string>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")"
    r"|(?P<quoted>`[^`]+`)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<operator><>|&&|\|\||==|!=|<=|>=|//|[-+*/%<>=(),&\[\]])"
)
_WORDS = {"and", "or", "not", "in", "if", "else"}
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None, "unknown": None}
_SAME = {"=": "==", "<>": "!=", "&&": " and ", "||": " or "}
_HINTS = {
    "'": "a quoted text is not closed",
    '"': "a quoted text is not closed",
    "`": "a column name in backticks is not closed",
    ".": "a dot is not allowed here; a name with dots stands in backticks: `customer.id`",
    "{": "curly braces have no meaning here; a column name with odd characters stands in backticks",
}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "name" else self.text

    @property
    def ends_operand(self) -> bool:
        return (
            self.kind in ("string", "number", "quoted")
            or self.text in (")", "]")
            or (self.kind == "name" and self.word not in _WORDS)
        )


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found:
            character = text[position]
            hint = _HINTS.get(character, f"{character!r} has no meaning here")
            raise ValueError(f"{hint} (position {position + 1})")
        if found.lastgroup != "space":
            tokens.append(_Token(str(found.lastgroup), found[0]))
        position = found.end()
    if not tokens:
        raise ValueError("it is empty")
    return tokens


class _Scan:
    """Turns the tokens into Python source whose every name is a placeholder of ours."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.references: list[Reference] = []
        self.constants: dict[str, Cell] = {}
        parts: list[str] = []
        self.index = 0
        while self.index < len(self.tokens):
            parts.append(self._part(self.tokens[self.index]))
            self.index += 1
        self.source = " ".join(parts).strip()

    def _following(self) -> str:
        return self.tokens[self.index + 1].word if self.index + 1 < len(self.tokens) else ""

    def _part(self, token: _Token) -> str:
        if token.kind == "string":
            quote = token.text[0]
            return self._constant(token.text[1:-1].replace(quote * 2, quote))
        if token.kind == "number":
            return self._constant(Decimal(token.text) if "." in token.text else int(token.text))
        if token.kind == "quoted":
            return self._placeholder(Reference("column", token.text[1:-1]))
        if token.kind == "operator":
            return _SAME.get(token.text, token.text)
        return self._name(token)

    def _name(self, token: _Token) -> str:
        word, following = token.word, self._following()
        if word in ("column", "field") and following == "(":
            return self._explicit(word)
        if word == "is":
            negated = following == "not"
            self.index += negated
            return "!=" if negated else "=="
        if word == "if" and following == "(" and not (self.index and self.tokens[self.index - 1].ends_operand):
            return "if_"  # a function; after a value it is Python's x if (y) else z
        if word in _WORDS:
            return word
        if word in _CONSTANTS:
            return self._constant(_CONSTANTS[word])
        if following == "(":
            return f"{word}_"
        return self._placeholder(Reference("name", token.text))

    def _explicit(self, word: str) -> str:
        inside = self.tokens[self.index + 2 : self.index + 4]
        if len(inside) < 2 or inside[0].kind != "string" or inside[1].text != ")":
            raise ValueError(f"{word}(…) takes one quoted name, such as {word}('status')")
        self.index += 3
        return self._placeholder(Reference("column" if word == "column" else "field", inside[0].text[1:-1]))

    def _placeholder(self, reference: Reference) -> str:
        if reference not in self.references:
            self.references.append(reference)
        return f"v{self.references.index(reference)}"

    def _constant(self, value: Cell) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name


# --- compiling ------------------------------------------------------------------------------------------------

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "equal", ast.NotEq: "unequal", ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater",
    ast.GtE: "greater_equal", ast.In: "within", ast.NotIn: "not_within",
}  # fmt: skip
_OPERATIONS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.FloorDiv: "floor_divide", ast.Mod: "remainder", ast.BitAnd: "joined",
}  # fmt: skip
_WITH_PATTERN = ("matches", "extract", "replace_pattern")
_QUICK = {"_type": type, "_str": str}  # for the one shortcut: most comparisons are of a text with a text


def compile_expression(text: str, zone: Zone | None = None, number: Callable[[Cell], Number] = as_number) -> Expression:
    """Compile an expression for a file in ``zone`` whose numbers ``number`` reads.

    Raises ValueError saying what is wrong with it and what would be right.
    """
    scan = _Scan(text)
    operators = Operators(number)
    functions = {**FUNCTIONS, **file_functions(zone, operators)}
    try:
        tree = ast.parse(scan.source, mode="eval")
        body = _Translator(functions, scan.constants).translate(tree.body)
        arguments = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(arg=f"v{index}") for index in range(len(scan.references))],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        )
        whole = ast.fix_missing_locations(ast.Expression(ast.Lambda(args=arguments, body=body)))
        code = compile(whole, f"<expression {text!r}>", "eval")
    except SyntaxError:
        raise ValueError(_syntax_hint(scan.source)) from None
    except (RecursionError, MemoryError):
        raise ValueError("it is nested too deeply") from None
    calls = {f"f_{name}": function.call for name, function in functions.items()}
    # The tree holds nothing but our own names and constants, so evaluating it makes one function and no more.
    names = {**operators.by_name(), **calls, **_QUICK, **scan.constants, "__builtins__": {}}
    return Expression(text, tuple(scan.references), eval(code, names))  # noqa: S307 - see the line above


def _syntax_hint(source: str) -> str:
    if source.count("(") != source.count(")"):
        return f"it has {source.count('(')} opening and {source.count(')')} closing parentheses"
    if re.search(r"\b[vk][0-9]+ [vk][0-9]+\b", source):
        return "two values stand beside each other without an operator; a name with spaces stands in backticks"
    return "it is no formula; write for example if(status == 'open', number(wait) / 60, 0)"


class _Translator:
    """Rebuilds the parsed tree from the few constructions there are; anything else is refused."""

    def __init__(self, functions: dict[str, Function], constants: dict[str, Cell]) -> None:
        self.functions = functions
        self.constants = constants

    def translate(self, node: ast.expr) -> ast.expr:
        """The node as calls of our operators and functions. Raises ValueError."""
        translator: Callable[[ast.expr], ast.expr] | None = getattr(self, f"_{type(node).__name__.lower()}", None)
        if translator is None:
            self._refuse(node)
        return translator(node)

    @staticmethod
    def _refuse(node: ast.AST) -> NoReturn:
        raise ValueError(f"{type(node).__name__.lower()} has no meaning in an expression")

    def _name(self, node: ast.Name) -> ast.expr:
        return ast.Name(node.id, ast.Load())

    def _tuple(self, node: ast.Tuple | ast.List) -> ast.expr:
        return ast.Tuple([self.translate(item) for item in node.elts], ast.Load())

    _list = _tuple

    def _boolop(self, node: ast.BoolOp) -> ast.expr:
        return ast.BoolOp(node.op, [_condition(self.translate(value)) for value in node.values])

    def _unaryop(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.translate(node.operand)
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(ast.Not(), _condition(operand))
        if isinstance(node.op, ast.USub):
            return _call("negative", operand)
        if isinstance(node.op, ast.UAdd):
            return operand
        return self._refuse(node.op)

    def _binop(self, node: ast.BinOp) -> ast.expr:
        operator = _OPERATIONS.get(type(node.op))
        if operator is None:
            self._refuse(node.op)
        return _call(operator, self.translate(node.left), self.translate(node.right))

    def _compare(self, node: ast.Compare) -> ast.expr:
        parts: list[ast.expr] = []
        for (left, right), operator in zip(pairwise([node.left, *node.comparators]), node.ops, strict=True):
            name = _COMPARISONS.get(type(operator))
            if name is None:
                self._refuse(operator)
            if name in ("within", "not_within") and isinstance(right, ast.Name) and right.id in self.constants:
                right = ast.Tuple([right], ast.Load())  # status in ('open') means a list of one
            parts.append(self._comparison(name, self.translate(left), self.translate(right)))
        return parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)

    def _comparison(self, name: str, left: ast.expr, right: ast.expr) -> ast.expr:
        comparison = _call(name, left, right)
        is_text = isinstance(right, ast.Name) and isinstance(self.constants.get(right.id), str)
        if name not in ("equal", "unequal") or not is_text or not isinstance(left, ast.Name):
            return comparison
        operator = ast.Eq() if name == "equal" else ast.NotEq()
        return ast.IfExp(
            ast.Compare(_call("_type", left), [ast.Is()], [ast.Name("_str", ast.Load())]),
            ast.Compare(left, [operator], [right]),
            comparison,
        )

    def _ifexp(self, node: ast.IfExp) -> ast.expr:
        condition = _condition(self.translate(node.test))
        return ast.IfExp(condition, self.translate(node.body), self.translate(node.orelse))

    def _call(self, node: ast.Call) -> ast.expr:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise ValueError("only named functions with plain arguments can be called")
        name = node.func.id.removesuffix("_")
        name = SYNONYMS.get(name, name)
        function = self.functions.get(name)
        if function is None:
            near = difflib.get_close_matches(name, [*self.functions, *SYNONYMS], 1)
            hint = f"; did you mean {near[0]}(…)?" if near else f"; there are {', '.join(sorted(self.functions))}"
            raise ValueError(f"there is no function {name}(…){hint}")
        if not function.least <= len(node.args) <= function.most:
            raise ValueError(f"{name} is used as {function.usage}")
        if name in _WITH_PATTERN and isinstance(node.args[1], ast.Name):
            self._check_pattern(node.args[1].id)
        if name == "timestamp" and len(node.args) > 1 and isinstance(node.args[1], ast.Name):
            compile_format(str(self.constants.get(node.args[1].id, "iso")))
        arguments = [self.translate(argument) for argument in node.args]
        return _conditional(arguments) if name in ("if", "case") else _call(f"f_{name}", *arguments)

    def _check_pattern(self, name: str) -> None:
        try:
            re.compile(str(self.constants.get(name, "")))
        except re.error as error:
            raise ValueError(f"the pattern {self.constants[name]!r} is not valid: {error}") from None


def _conditional(arguments: list[ast.expr]) -> ast.expr:
    otherwise: ast.expr = arguments.pop() if len(arguments) % 2 else ast.Constant(None)
    for index in range(len(arguments) - 2, -1, -2):
        otherwise = ast.IfExp(_condition(arguments[index]), arguments[index + 1], otherwise)
    return otherwise


def _condition(node: ast.expr) -> ast.expr:
    """A node as a condition; comparisons are true or false by themselves."""
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    is_text_comparison = isinstance(node, ast.IfExp) and isinstance(node.test, ast.Compare)
    if isinstance(node, ast.BoolOp) or name in _COMPARISONS.values() or is_text_comparison:
        return node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node
    return _call("holds", node)


def _call(function: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(function, ast.Load()), list(arguments), [])
