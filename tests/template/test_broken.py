"""One file for every kind of mistake: each is refused with its place, what was expected and what was found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neurofit.errors import TemplateError
from neurofit.template import load_model, parse_model
from tests.template.mistakes import MISTAKES

BROKEN = Path(__file__).parent / "broken"


def refusal(path: Path) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        load_model(path)
    return caught.value


def test_every_broken_file_is_in_the_table() -> None:
    assert {path.stem for path in BROKEN.iterdir()} == set(MISTAKES)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_where_it_stands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path, (place, line, message, advice) = BROKEN / f"{name}.toml", MISTAKES[name]
    error = refusal(path)
    assert error.message == message
    assert (error.advice or "").rstrip(".") == advice
    where = f"{path}: {place}" if place else f"{path}"
    assert error.where == (f"{where} (line {line})" if line else where)
    assert error.expected, "says what should have stood there"
    assert error.found, "says what was found"
    paragraph = str(error)
    assert "\n" not in paragraph
    assert len(paragraph) < 1000
    for part in (str(path), message, error.expected, error.found):
        assert part.rstrip(".") in paragraph
    assert not re.search(r"pydantic|sympy|\[type=|Traceback", paragraph)
    assert list(tmp_path.iterdir()) == [], "nothing that was written into a template has run"


TEXT = (Path(__file__).parent / "good" / "small.toml").read_text()


def test_two_mistakes_are_counted() -> None:
    with pytest.raises(TemplateError, match="There is 1 more mistake"):
        parse_model(TEXT.replace('title = "A small cell"', "title = 1").replace("dt_ms = 0.05", "dt_ms = 0"), "x")
    with pytest.raises(TemplateError, match=r"unknown key titel.*titel = \"A small cell\"\.$"):
        parse_model(TEXT.replace("title =", "titel ="), "x")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("g_leak[0]*(E_leak - v)", "this is not a formula"),
        ("(g_leak, 1)*(E_leak - v)", "this is not a formula"),
        ("(lambda: g_leak)()*(E_leak - v)", "unbalanced bracket"),
        ("[g for g in (g_leak,)][0]*(E_leak - v)", "this is not a formula"),
        ("(g := g_leak)*(E_leak - v)", "unbalanced bracket"),
        ("g_leak*(E_leak - v)*int('1')", "this is not a formula"),
        ("g_leak*(E_leak - v)*f'{g_leak}'", "this is not a formula"),
        ("g_leak*(E_leak - v)*1j", "this is not a formula"),
        ("g_leak*(E_leak - v)*1e999", "this is not a formula"),
        ("g_leak*(E_leak - v)*clip(*g_leak)", "this is not a formula"),
        ("g_leak*(E_leak - v)*exp(x=1)", "this is not a formula"),
        ("g_leak*(E_leak - v) if True else 0*pA", "this is not a formula"),
        ("g_leak*(E_leak - v) @ g_leak", "this is not a formula"),
        ("g_leak*(E_leak - v)*int(None)", "this is not a formula"),
        ("g_leak*(E_leak - v)*int(v in E_leak)", "this is not a formula"),
        ("g_leak*(E_leak - v)*True", "a condition stands where a number should"),
        ("g_leak*(E_leak - v)*int(v and E_leak)", "a number stands where a condition should"),
        ("g_leak*(E_leak - v)*int(not v)", "a number stands where a condition should"),
        ("g_leak*(E_leak - v)*inf", "inf is not declared"),
        ("g_leak*(E_leak - v)*eval(1)", "there is no function eval"),
        ("g_leak*(E_leak - v)*poisson(1)", "poisson() would not be the same in every run"),
        ("g_leak**v*(E_leak - v)", "the formula cannot be computed"),
        ("+".join(["g_leak*(E_leak - v)"] * 2000), "the formula is too long"),
        ("(" * 300 + "g_leak*(E_leak - v)" + ")" * 300, "the formula cannot be read"),
        ("", "there is no formula"),
    ],
)
def test_only_arithmetic_is_a_formula(formula: str, message: str) -> None:
    text = TEXT.replace("I_leak = g_leak*(E_leak - v) : amp", f"I_leak = {formula} : amp")
    with pytest.raises(TemplateError) as caught:
        parse_model(text, "x.toml")
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "junk", ["\x00", "a = ", "[[a]]", "schema = 1\nschema = 1", "[parameters]\nschema = 1", "é", "\\"]
)
def test_junk_is_a_template_error(junk: str) -> None:
    for text in (junk, TEXT + junk, TEXT.replace("dv/dt", junk), junk + TEXT):
        try:
            parse_model(text, "x.toml")
        except TemplateError:
            continue


def test_a_template_that_cannot_be_read(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.toml", "there is no such template"), (tmp_path, "this is a directory")):
        with pytest.raises(TemplateError, match=message) as caught:
            load_model(path)
        assert str(path) in str(caught.value)
        assert "hh_pospischil" in str(caught.value), "names what there is"
    with pytest.raises(TemplateError, match="there is no such template"):
        load_model("no_such_model")
