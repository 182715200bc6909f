"""Names that a template cannot give to its own parameters and variables, because they already mean something."""

from __future__ import annotations

import keyword

from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS

from neurofit.template.units import UNITS

# What neurofit and Brian2 give to every template's equations, by unit.
PROVIDED = {
    "I_inj": "amp",
    "white_noise": "second**-0.5",
    "observation_noise": "1",
    "t": "second",
    "dt": "second",
}
PROVIDED_WITH_SPIKES = {"lastspike": "second"}

_SIMULATOR = {
    *("i", "N", "xi", "t_in_timesteps", "not_refractory", "key", "sweep", "v_recorded", "injected", "keyed_normal"),
    *("cells", "monitor", "stimulus", "brian", "time_step"),
    *("vector_exp", "vector_expm1", "vector_exprel", "vector_log", "vector_cos_turns", "exp_parts"),
}
# Words and macros of the C++ that Brian2 writes.
_CPP_WORDS = """
alignas alignof and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete
do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable
namespace new noexcept not_eq nullptr operator or_eq private protected public register reinterpret_cast requires
restrict return short signed sizeof static static_assert static_cast std struct switch template this thread_local
throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq
assert errno stdin stdout stderr main NULL EOF NAN INFINITY HUGE_VAL RAND_MAX BUFSIZ DEBUG pow fabs size_t int32_t
int64_t uint64_t
"""
_CPP = frozenset(_CPP_WORDS.split())


def why_taken(name: str) -> str | None:
    """What a name means already, in words, or ``None`` if a template may use it."""
    if name in PROVIDED or name in PROVIDED_WITH_SPIKES:
        return "something that neurofit provides"
    if name in UNITS:
        return "a unit"
    if name in DEFAULT_FUNCTIONS:
        return "a function"
    if name in DEFAULT_CONSTANTS:
        return "a constant"
    if name in _SIMULATOR or name.startswith(("xi_", "_")) or name.endswith(("_pre", "_post")):
        return "something inside the simulator"
    if keyword.iskeyword(name) or name in _CPP:
        return "a word of the languages that equations are translated to"
    return None
