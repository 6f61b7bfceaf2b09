"""ActionsSuppressor of a composite alarm: which state changes act, and when.

Source: the user guide's "Composite alarm action suppression". After a change the composite waits WaitPeriod for
the suppressor to go into ALARM; while that is in ALARM nothing acts; after it left, ExtensionPeriod is waited.
"""

from __future__ import annotations

from collections.abc import Callable

from labs.observability.cloudwatch.alarm import Alarm
from labs.observability.cloudwatch.alarm_state import State
from labs.sim.loop import Loop, Timer
from labs.units import SECOND_NS


class Suppressor:
    """Holds back one composite alarm's actions."""

    def __init__(
        self,
        loop: Loop,
        alarm: Alarm,
        state_of: Callable[[str], State | None],
        act: Callable[[Alarm, State], None],
    ) -> None:
        self._loop = loop
        self._alarm = alarm
        self._state_of = state_of
        self._act = act
        self._timer: Timer | None = None
        self._old_state: State = alarm.state
        self.suppressor_name: str = alarm.config["ActionsSuppressor"].split(":alarm:", 1)[-1]

    def on_composite_change(self, old_state: State) -> None:
        """The composite changed its state; decides whether its actions wait."""
        self.stop()
        self._old_state = old_state
        wait_s = self._alarm.config.get("ActionsSuppressorWaitPeriod", 0)
        if self._is_suppressing():
            self._alarm.suppressed_by = "Alarm"
        else:
            self._hold("WaitPeriod", wait_s)

    def on_suppressor_change(self) -> None:
        """The suppressor changed its state."""
        held_by = self._alarm.suppressed_by
        if held_by is None:
            return
        if self._is_suppressing():
            self.stop()
            self._alarm.suppressed_by = "Alarm"
        elif held_by == "Alarm":
            self._hold("ExtensionPeriod", self._alarm.config.get("ActionsSuppressorExtensionPeriod", 0))

    def stop(self) -> None:
        """Forgets whatever was held back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._alarm.suppressed_by = None

    def _is_suppressing(self) -> bool:
        return self._state_of(self.suppressor_name) == "ALARM"

    def _hold(self, held_by: str, length_s: int) -> None:
        self.stop()
        if length_s <= 0:
            self._act(self._alarm, self._old_state)
            return
        self._alarm.suppressed_by = held_by
        self._timer = self._loop.after(length_s * SECOND_NS, self._release)

    def _release(self) -> None:
        self.stop()
        self._act(self._alarm, self._old_state)
