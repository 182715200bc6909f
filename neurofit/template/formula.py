"""What may stand in a template as a formula: numbers, names, arithmetic, conditions and a short list of functions.

Formulas go on to Brian2, SymPy and a C++ compiler. Everything that is not plain arithmetic is refused here, by
looking at the parsed text, so that a template is data: reading one never runs what somebody wrote into it.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
from dataclasses import dataclass

from brian2.core.functions import DEFAULT_FUNCTIONS

from neurofit.template.units import UNITS

# Brian2's functions that are the same number every time; its random ones are not fixed by a simulation's key.
FUNCTIONS = tuple(name for name, function in DEFAULT_FUNCTIONS.items() if function.stateless)
_RANDOM = tuple(name for name in DEFAULT_FUNCTIONS if name not in FUNCTIONS)

_ALLOWED = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.Call, ast.Name, ast.Constant, ast.Load),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.UAdd, ast.USub, ast.Not),
    *(ast.And, ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)
_ARITHMETIC = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Constant, ast.Load),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UAdd, ast.USub),
)
_INSTEAD = {
    ast.BitXor: "Write ** for a power",
    ast.BitAnd: "Write 'and'",
    ast.BitOr: "Write 'or'",
    ast.IfExp: "Write int(condition)*a + int(not condition)*b",
}


@dataclass(frozen=True)
class Grammar:
    """What a formula may hold.

    Attributes
    ----------
    nodes
        Kinds of nodes in Python's syntax tree.
    functions
        Names of functions.
    rule
        Both in words.
    """

    nodes: tuple[type[ast.AST], ...]
    functions: tuple[str, ...]
    rule: str


EQUATION = Grammar(
    _ALLOWED,
    FUNCTIONS,
    "numbers, names, + - * / ** %, comparisons, and, or, not, and functions such as exp, exprel and tanh",
)
# In place of a number of a prior.
PRIOR = Grammar(
    _ARITHMETIC,
    ("min", "max", "exp", "log", "sqrt", "abs"),
    "numbers, parameters, units, + - * / **, and the functions min, max, exp, log, sqrt and abs",
)


class FormulaError(ValueError):
    """A text that is not a formula."""

    def __init__(self, message: str, *, expected: str, advice: str | None = None) -> None:
        super().__init__(message)
        self.message, self.expected, self.advice = message, expected, advice


@dataclass(frozen=True)
class Formula:
    """A formula on one line, without comments.

    Attributes
    ----------
    names
        Everything it names but functions.
    is_condition
        Is it true or false, rather than a number?
    """

    text: str
    names: frozenset[str]
    is_condition: bool

    def __str__(self) -> str:
        return self.text


def parse_formula(text: str, grammar: Grammar = EQUATION) -> Formula:
    """Read a formula.

    Raises
    ------
    FormulaError
        If it is anything else.
    """
    code = " ".join(line.split("#")[0].strip() for line in text.splitlines()).strip()
    if not code:
        raise FormulaError("there is no formula", expected=grammar.rule)
    opened, closed = code.count("("), code.count(")")
    if opened != closed:
        raise FormulaError("unbalanced bracket", expected=f"as many '(' ({opened}) as ')' ({closed})")
    try:
        tree = ast.parse(code, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormulaError("the formula cannot be read", expected=grammar.rule, advice=_advice(code)) from error
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        _check_node(node, grammar)
    try:
        is_condition = _is_condition(tree.body)
    except RecursionError as error:
        raise FormulaError(
            "the formula is too long", expected=grammar.rule, advice="Give parts of it names of their own."
        ) from error
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return Formula(code, frozenset(names), is_condition)


def _is_condition(node: ast.expr) -> bool:
    """Is it true or false? Parts that mix conditions and numbers are refused: SymPy cannot compute with them."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, bool)
        case ast.BinOp(left=left, right=right):
            _all(False, left, right)
        case ast.Compare(left=left, comparators=others):
            _all(False, left, *others)
            return True
        case ast.BoolOp(values=values):
            _all(True, *values)
            return True
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _all(True, operand)
            return True
        case ast.UnaryOp(operand=operand):
            _all(False, operand)
        case ast.Call(func=ast.Name(id="int"), args=args):
            for argument in args:
                _is_condition(argument)
        case ast.Call(args=args):
            _all(False, *args)
    return False


def _all(condition: bool, *nodes: ast.expr) -> None:
    for node in nodes:
        if _is_condition(node) is not condition:
            text = ast.unparse(node)
            if condition:
                raise FormulaError("a number stands where a condition should", expected=f"'{text}' to be a comparison")
            raise FormulaError(
                "a condition stands where a number should", expected="a number", advice=f"Write int({text})."
            )


def _check_node(node: ast.AST, grammar: Grammar) -> None:
    match node:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if not any(
            isinstance(a, ast.Starred) for a in args
        ):
            _check_function(name, grammar)
        case ast.Call():
            raise FormulaError("this is not a formula", expected=grammar.rule)
        case ast.Compare(ops=[_, _, *_]) if grammar is EQUATION:
            raise FormulaError(
                "comparisons in a row cannot be computed",
                expected="one comparison at a time",
                advice="Write 'a < b and b < c' for 'a < b < c'.",
            )
        case ast.Constant(value=bool() | int() as value) if grammar is EQUATION or not isinstance(value, bool):
            pass
        case ast.Constant(value=float() as value) if math.isfinite(value):
            pass
        case ast.Constant():
            raise FormulaError("this is not a formula", expected=grammar.rule)
        case _ if not isinstance(node, grammar.nodes):
            advice = _INSTEAD.get(type(node)) if grammar is EQUATION or isinstance(node, ast.BitXor) else None
            raise FormulaError("this is not a formula", expected=grammar.rule, advice=advice)


def _check_function(name: str, grammar: Grammar) -> None:
    if name in _RANDOM and grammar is EQUATION:
        raise FormulaError(
            f"{name}() would not be the same in every run",
            expected="white_noise, the noise that is made from each simulation's own key",
        )
    if name not in grammar.functions:
        close = difflib.get_close_matches(name, grammar.functions, n=1)
        wants_clip = grammar is EQUATION and name in ("min", "max", "minimum", "maximum")
        advice = "Write clip(x, low, high)" if wants_clip else None
        if not advice and name not in DEFAULT_FUNCTIONS:
            advice = f"Did you mean {close[0]}?" if close else f"Write {name}*(...) to multiply."
        known = ", ".join(grammar.functions)
        raise FormulaError(f"there is no function {name}", expected=f"one of {known}", advice=advice)


def _advice(code: str) -> str | None:
    """What probably went wrong in a text that Python's parser refuses."""
    for number, name in re.findall(r"(?<![\w.])(\d+\.?\d*|\.\d+)\s*([A-Za-z]\w*)", code):
        if name in UNITS:
            return f"Write {number}*{name}, with the '*'"
    if "=" in code.replace("==", "").replace("<=", "").replace(">=", "").replace("!=", ""):
        return "Write == for a comparison"
    return None
