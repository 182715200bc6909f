"""Other ways to simulate the benchmark's cells, each prepared once and then timed with neurofit's in turn.

A way is ``prepare(task) -> run``: ``run()`` simulates all of the task's parameter sets anew and leaves the recorded
voltage in mV in memory, ``[draw, sweep, time]``.
"""
