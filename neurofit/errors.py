"""What can go wrong, as a tree.

::

    NeurofitError
    ├── BadInput                  the user can mend it; exit code 2, nothing was overwritten
    │   ├── RecordingError        a file that cannot be read, or must not be fitted
    │   ├── StimulusError         a current or a protocol that does not suit what was asked
    │   ├── TemplateError         a model's TOML file
    │   ├── ParameterError        theta: wrong columns, outside its units, not finite
    │   ├── CheckError            arrays that a check cannot compare
    │   └── RunDirectoryError     an output directory that holds something else, or is in use
    └── RunFailed                 it went wrong on the way; exit code 1, what was finished is kept
        ├── CompileError          the C++ compiler failed
        ├── SimulationError       the compiled program failed, or hardly a simulation was valid
        └── TrainingError         the network did not learn

:class:`SlowSimulation` is a warning: without a C++ compiler simulations go on, only slowly.
A failed *check* is none of these: it is a result (:class:`neurofit.check.CheckResult`).
"""

from __future__ import annotations

from pathlib import Path


class NeurofitError(Exception):
    """Everything neurofit raises on purpose."""


class BadInput(NeurofitError, ValueError):
    """Input that cannot be used as it is: one paragraph saying where, what is wrong and what to do.

    Parameters
    ----------
    message
        What is wrong, in the user's words.
    where
        File, or file and place in it.
    expected, found
        What should have stood there and what did.
    advice
        What to do now.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | Path | None = None,
        expected: str | None = None,
        found: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.message, self.where = message, None if where is None else str(where)
        self.expected, self.found, self.advice = expected, found, advice
        parts = [f"{where}: {message}" if where is not None else message]
        if expected is not None:
            parts.append(f"Expected: {expected}.")
        if found is not None:
            parts.append(f"Found: {found}.")
        if advice is not None:
            parts.append(advice)
        super().__init__(" ".join(part if part.endswith((".", "?", "!")) else part + "." for part in parts))


class RecordingError(BadInput):
    """A file that cannot be read as a current-clamp recording, or must not be fitted."""


class StimulusError(BadInput):
    """A current or protocol that does not suit what was asked of it."""


class TemplateError(BadInput):
    """A template that says something it cannot mean."""


class ParameterError(BadInput):
    """Parameter values with the wrong names, shape or numbers."""


class CheckError(BadInput):
    """Arrays that a check cannot compare."""


class RunDirectoryError(BadInput):
    """An output directory that holds another run, or is in use by another process."""


class RunFailed(NeurofitError, RuntimeError):
    """The work stopped on the way; what was finished is kept and the same command goes on from there."""


class CompileError(RunFailed):
    """The C++ compiler refused the generated program, or the program cannot be kept."""


class SimulationError(RunFailed):
    """The compiled program failed, or left hardly a simulation that could be used."""


class TrainingError(RunFailed):
    """The network did not learn anything usable."""


class SlowSimulation(UserWarning):
    """There is no C++ compiler: simulations give the same result, many times more slowly."""
