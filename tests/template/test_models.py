"""The shipped templates, and what a template may hold."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sympy
from brian2.parsing.sympytools import str_to_sympy

from neurofit.errors import ParameterError, TemplateError
from neurofit.resources import resource_dir
from neurofit.template import Model, copy_model, find_model, list_models, load_model, parse_model
from neurofit.template.linear import NotLinear, linear_coefficients
from neurofit.template.names import why_taken
from neurofit.template.units import UNITS, meant_unit, parse_unit, si_unit

GOOD = Path(__file__).parent / "good"
SMALL = (GOOD / "small.toml").read_text()


def test_what_is_shipped_loads() -> None:
    spiking = ("hh_bernaerts", "hh_pospischil", *(f"hh_pospischil_{k}" for k in ("fs", "ib", "ih", "lts", "rs")))
    drawn = ("izhikevich", "lif", "lif_plain", "lif_tutorial")
    assert list_models() == ("adex", "eif", *spiking, "hh_tutorial", *drawn)
    for name in list_models():
        model = load_model(name)
        assert model.name == name
        assert model.title
        assert model.description
        assert model.references
        assert len(model.prior) == len(model.free) >= 2


@pytest.mark.parametrize("name", list_models())
def test_every_parameter_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    for parameter in load_model(name).parameters:
        assert len(parameter.source) > 10, parameter.name
        assert len(parameter.description) > 5, parameter.name
        # whatever a quantity that cannot be negative is, its prior keeps it so
        if parameter.prior is not None and parse_unit(parameter.unit).dimensions == parse_unit("farad").dimensions:
            assert parameter.prior.distribution.support()[0] > 0


def test_a_copy_is_the_original_and_never_overwrites(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    assert copy_model("lif", mine) == mine
    assert mine.read_bytes() == (resource_dir("models") / "lif.toml").read_bytes()
    assert load_model(mine).equations == load_model("lif").equations
    mine.write_text("precious")
    with pytest.raises(TemplateError, match="exists and is left as it is"):
        copy_model("lif", str(mine))
    assert mine.read_text() == "precious"
    with pytest.raises(TemplateError, match="cannot be written"):
        copy_model("lif", tmp_path / "no such folder" / "mine.toml")
    with pytest.raises(TemplateError, match="there is no such template"):
        copy_model("lief", tmp_path / "other.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_an_edited_copy_is_another_model(tmp_path: Path) -> None:
    mine = copy_model("hh_pospischil", tmp_path / "mine.toml")
    text = mine.read_text()
    text = text.replace("I_M + I_inj", "I_M + I_NaP + I_inj")
    text = text.replace("I_M = g_M", "I_NaP = g_NaP*C*s_inf*(E_Na - v) : amp\nI_M = g_M")
    text = text.replace("p_inf = 1", "s_inf = 1/(1 + exp(-(v + 50*mV)/(4*mV))) : 1\np_inf = 1")
    text += (
        '\n[parameters.g_NaP]\nunit = "mS/uF"\nvalue = 0.05\ndescription = "persistent sodium"\nsource = "judgement"\n'
        'prior = { family = "log_normal", median = 0.05, log_sd = 1 }\n'
    )
    mine.write_text(text)
    original, edited = load_model("hh_pospischil"), load_model(mine)
    assert edited.free == (*original.free, "g_NaP")
    assert edited.sha256 != original.sha256
    assert "s_inf" in edited.parsed.subexpressions


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load_model(path).equations == load_model(GOOD / "small.toml").equations
    assert load_model(path).sha256 == load_model(GOOD / "small.toml").sha256


def test_equations_may_be_spread_over_lines_and_commented() -> None:
    spread = SMALL.replace(
        "I_leak = g_leak*(E_leak - v) : amp", "# the leak\n\nI_leak = g_leak*(  # per cell\n    E_leak - v) : amp  # A"
    )
    lines = [parse_model(text, "x").parsed.text.replace(" ", "") for text in (spread, SMALL)]
    assert lines[0] == lines[1]


# The kinetics of Pospischil et al. 2008 (equations 3 to 8 of the paper), written down once more: mV, ms.
V, VT = sympy.symbols("V V_T", real=True)


def linoid(x: sympy.Expr, k: float) -> sympy.Expr:
    return x / (sympy.exp(x / k) - 1)


PAPER = {
    "a_m": 0.32 * linoid(-(V - VT - 13), 4),
    "b_m": 0.28 * linoid(V - VT - 40, 5),
    "a_h": 0.128 * sympy.exp(-(V - VT - 17) / 18),
    "b_h": 4 / (1 + sympy.exp(-(V - VT - 40) / 5)),
    "a_n": 0.032 * linoid(-(V - VT - 15), 5),
    "b_n": 0.5 * sympy.exp(-(V - VT - 10) / 40),
    "p_inf": 1 / (1 + sympy.exp(-(V + 35) / 10)),
    "tau_p": 1000 / (3.3 * sympy.exp((V + 35) / 20) + sympy.exp(-(V + 35) / 20)),
}


POSPISCHIL = [name for name in list_models() if name.startswith("hh_")]


@pytest.mark.parametrize("name", POSPISCHIL)
def test_the_kinetics_are_the_papers(name: str) -> None:
    model = load_model(name)
    given = {"V_T": -56.2e-3, "tau_max": 1.0, "V_M": -35e-3}
    for term, paper in PAPER.items():
        if term not in model.parsed.subexpressions:
            assert name == "hh_pospischil_fs", "it alone has no M current"
            continue
        expression = str_to_sympy(model.parsed.subexpressions[term])
        expression = expression.subs({s: float(UNITS[s.name]) for s in expression.free_symbols if s.name in UNITS})
        expression = expression.subs({s: given[s.name] for s in expression.free_symbols if s.name in given})
        ours = sympy.lambdify(sympy.Symbol("v", real=True), expression.replace(_is_exprel, _written_out))
        theirs = sympy.lambdify(V, paper.subs(VT, -56.2))
        for v in np.arange(-95.05, 60, 5):
            scale = 1e-3 if term[:2] in ("a_", "b_") else 1e3 if term == "tau_p" else 1
            assert ours(v * 1e-3) * scale == pytest.approx(theirs(v), rel=1e-9), (term, v)
    assert model.parsed.derivatives.get("p", "(p_inf - p)/tau_p").endswith("(p_inf - p)/tau_p")


@pytest.mark.parametrize("name", ["hh_pospischil", "hh_pospischil_ih"])
def test_the_currents_of_a_whole_cell(name: str) -> None:
    model = load_model(name)
    for gate in "mhn":
        assert model.parsed.derivatives[gate] == f"rate*(a_{gate}*(1 - {gate}) - b_{gate}*{gate})"
    assert model.parsed.subexpressions["I_Na"] == "g_Na*C*m**3*h*(E_Na - v)"
    assert model.parsed.subexpressions["I_K"] == "g_K*C*n**4*(E_K - v)"
    assert model.parsed.subexpressions["I_M"] == "g_M*C*p*(E_K - v)"
    values = {p.name: p.value for p in model.parameters}
    assert (values["E_Na"], values["E_K"]) == (50, -90)


def test_the_tutorial_cell_is_the_tutorials() -> None:
    model = load_model("hh_tutorial")
    for gate in "mhn":
        assert model.parsed.derivatives[gate] == f"a_{gate}*(1 - {gate}) - b_{gate}*{gate}"
    assert model.parsed.subexpressions["I_Na"] == "g_Na*m**3*h*(E_Na - v)"
    assert model.parsed.subexpressions["I_K"] == "g_K*n**4*(E_K - v)"
    assert model.parsed.subexpressions["I_M"] == "g_M*p*(E_K - v)"
    assert model.free == ("g_Na", "g_K")
    assert np.array_equal(model.prior.bounds, [[0.5, 80], [1e-4, 15]])
    fixed = {p.name: p.value for p in model.parameters if p.prior is None}
    assert fixed.pop("area") == pytest.approx(np.pi * 70e-4**2)
    stated = {"C": 1, "g_leak": 0.1, "g_M": 0.07, "tau_max": 600, "V_T": -60, "sigma": 0.1}
    assert fixed == stated | {"E_leak": -70, "E_Na": 53, "E_K": -107}
    assert model.initial["v"] == "-70*mV"


def _is_exprel(expr: sympy.Expr) -> bool:
    return expr.func.__name__ == "exprel"


def _written_out(expr: sympy.Expr) -> sympy.Expr:
    return (sympy.exp(expr.args[0]) - 1) / expr.args[0]


def test_units_are_read_as_arithmetic() -> None:
    for text, scale, si in [
        ("mV", 1e-3, "volt"),
        ("mS/uF", 1e3, "second**-1"),
        ("pA*ms**0.5", 1e-12 * 1e-3**0.5, "second**0.5*amp"),
        ("Mohm", 1e6, "ohm"),
        ("1", 1.0, "1"),
        ("1/ms", 1e3, "Hz"),
    ]:
        unit = parse_unit(text)
        assert unit.scale == pytest.approx(scale, rel=1e-12)
        assert unit.dimensions == parse_unit(si).dimensions
        assert parse_unit(si_unit(unit.dimensions)).dimensions == unit.dimensions
    for text, meant in [("MOhm", "Mohm"), ("µF", "uF"), ("mv", "mV"), ("mS/uf", "mS/uF"), ("cm^2", "cm**2")]:
        assert meant_unit(text) == meant
    for text in ("2*mV", "-mV", "mV + mV", "mV**99999", "mV()", "mV.real", "True", "", "0*mV", "nS nS"):
        with pytest.raises(ValueError, match="is not a unit"):
            parse_unit(text)


def test_linear_coefficients() -> None:
    terms = {"I": "g*s*(E - v)", "s": "1/(1 + exp(v))", "y": "q*2"}
    g, s, E = (sympy.Symbol(name, real=True) for name in ("g", "s", "E"))
    assert linear_coefficients("v", "g*(E - v)", terms) == (-g, E * g)
    assert linear_coefficients("v", "g", terms) == (0, g)
    assert linear_coefficients("v", "y*v", terms) == (sympy.Symbol("y", real=True), 0), "y stays a named term"
    with pytest.raises(NotLinear):
        linear_coefficients("v", "I", terms)
    # held still over the step: s at its old value
    assert linear_coefficients("v", "I", terms, hold=True) == (-g * s, sympy.expand(E * g * s))
    for nonlinear in ("v**2", "exp(v)", "v*I", "abs(v)", "int(v > 0)*v"):
        with pytest.raises(NotLinear):
            linear_coefficients("v", nonlinear, terms, hold=True)


def test_initial_values_are_set_after_what_they_depend_on() -> None:
    text = SMALL.replace('v = "rest"\nm = "m_inf"', 'm = "0.5*h_twice"\nh = "m_inf"\nv = "rest"')
    text = text.replace("dm/dt", "dh/dt = (m_inf - h)/tau_m : 1\nh_twice = 2*h : 1\ndm/dt").replace(
        "g_gate*m", "g_gate*m*h"
    )
    assert list(parse_model(text, "x").initial) in (["v", "h", "m"], ["h", "m", "v"], ["h", "v", "m"])
    with pytest.raises(TemplateError, match="depends on itself"):
        parse_model(text.replace('h = "m_inf"', 'h = "m"'), "x")


@pytest.mark.parametrize(
    "name", ["I", "E", "S", "beta", "gamma", "Q", "zeta", "y0", "jn", "signal", "index", "time", "x"]
)
def test_ordinary_names_are_free(name: str) -> None:
    assert why_taken(name) is None
    model = parse_model(SMALL.replace("R_s", name), "x")
    assert name in model.units


def test_theta_by_name_or_by_column() -> None:
    model = load_model("lif")
    values = {p.name: p.value for p in model.parameters}
    template = np.array([[values[name] for name in model.free]])
    assert np.array_equal(model.array({}), template)
    assert np.array_equal(model.array(template[0]), template)
    by_name = model.array({"V_th": [-55, -45], "C": 100})
    assert by_name.shape == (2, len(model.free))
    assert by_name[:, model.free.index("V_th")].tolist() == [-55, -45]
    assert by_name[:, model.free.index("C")].tolist() == [100, 100]
    table = pd.DataFrame({"C": [100.0, 120.0]})
    assert np.array_equal(model.array(table), model.array({"C": [100, 120]}))
    round_trip = model.table(by_name)
    assert np.array_equal(model.array(round_trip), by_name)
    assert round_trip.attrs["units"]["C"] == "pF"


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (np.zeros((3, 9)), "theta has the wrong shape"),
        (np.zeros((0, 10)), "theta holds no draws"),
        (np.zeros((2, 2, 10)), "theta has the wrong shape"),
        ([], "theta has the wrong shape"),
        (5.0, "theta has the wrong shape"),
        (np.full((2, 10), np.nan), "theta is not finite in row 0, C"),
        (np.full((2, 10), np.inf), "theta is not finite in row 0, C"),
        ({"C": [1.0, np.nan]}, "theta is not finite in row 1, C"),
        ({"c": 1.0}, "lif has no free parameter c"),
        ({"V_offset": 1.0}, "lif has no free parameter V_offset"),
        ({"C": [1.0, 2.0], "R_s": [1.0, 2.0, 3.0]}, "the table's columns do not fit together"),
        ({"C": [[1.0, 2.0]]}, "the table's columns do not fit together"),
        ({"C": "large"}, "C is not made of numbers"),
        ({"C": 1 + 1j}, "C is not made of numbers"),
        ([["a"] * 10], "theta is not made of numbers"),
        (np.ones((1, 10)) * 1j, "theta is not made of numbers"),
        ([[1.0, 2.0], [1.0]], "theta is not made of numbers"),
        (pd.DataFrame({"C": []}), "theta holds no draws"),
        (pd.DataFrame([[1.0, 2.0]], columns=["C", "C"]), "the table's columns do not fit together"),
    ],
)
def test_theta_that_cannot_be_used(theta: object, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        load_model("lif").array(theta)  # type: ignore[arg-type]
    assert caught.value.message.startswith(message)


def test_another_time_step_is_the_same_model() -> None:
    model = load_model("lif")
    finer = model.with_dt(0.01)
    assert finer.dt_ms == 0.01
    assert finer.sha256 == model.sha256
    same = {field.name for field in dataclasses.fields(Model)} - {"dt_ms"}
    assert all(getattr(finer, name) is getattr(model, name) for name in same)


@pytest.mark.parametrize(
    ("over", "more", "records"),
    [
        ("0*mV", "", False),
        ("R_s*I_inj", "", True),
        ("shift", "shift = R_s*I_inj : volt", True),
        ("shift", "shift = R_s*I_leak : volt", False),
        ("u", "du/dt = (R_s*I_inj - u)/(0.1*ms) : volt", True),
    ],
)
def test_a_template_says_whether_the_electrode_feels_the_current(over: str, more: str, records: bool) -> None:
    text = find_model("hh_pospischil").read_text(encoding="utf-8").replace("+ R_s*I_inj", f"+ {over}")
    # its parameter has to be used
    text = text.replace("I_leak = g_leak*", f"{more}\nI_leak = (1 + 0*R_s*g_leak)*g_leak*", 1)
    if more.startswith("du/dt"):
        text = text.replace('v = "rest"', 'v = "rest"\nu = "0*mV"', 1)
    assert parse_model(text, "edited.toml").parsed.records_current is records
