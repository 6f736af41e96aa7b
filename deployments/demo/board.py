"""What a person sees while months go by: one line a rollout, moving, and a line for every change."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from headgate.rollout.state import Move, Tick

_COLOURS = {
    Move.ADVANCE: "green",
    Move.FINISH: "bold green",
    Move.ASK: "yellow",
    Move.PAUSE: "yellow",
    Move.ROLL_BACK: "bold red",
    Move.ABORT: "red",
    Move.EXPIRE: "red",
    Move.STEP_BACK: "red",
    Move.FREEZE: "red",
}
_BAR = 20
_NAME = 17


class Board:
    """Live lines of all rollouts on a terminal; plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._last: dict[str, tuple[Tick, int]] = {}
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def note(self, text: str | Table) -> None:
        """Say one line that stays."""
        self.console.print(text, highlight=False, soft_wrap=isinstance(text, str))

    def told(self, name: str, tick: Tick, live_requests: int) -> None:
        """Show one tick; what changed something stays on the screen."""
        before = self._last.get(name)
        self._last[name] = (tick, live_requests)
        if tick.decision.move is not Move.HOLD or before is None:
            self.note(_line(name, tick))
        if self._live:
            self._live.update(self._table())

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, (tick, live) in self._last.items():
            state = tick.state
            filled = round(state.share_bp / 10_000 * _BAR)
            waits = ", ".join(waiting.value for waiting in tick.decision.waiting_for) or "-"
            table.add_row(
                f"[bold]{name}[/]",
                f"{tick.at:%Y-%m-%d}",
                f"{state.phase.value}",
                f"[green]{'█' * filled}[/][dim]{'░' * (_BAR - filled)}[/] {state.share_bp / 100:g} %",
                f"waits for {waits}",
                f"{live:,} live requests",
            )
        return table


def _line(name: str, tick: Tick) -> Table:
    """Return one ledger row as a line; a long reason wraps in its own column."""
    move = tick.decision.move
    line = Table.grid(padding=(0, 2, 0, 0))
    for width in (10, _NAME, 5, 9):
        line.add_column(min_width=width, no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row(
        f"[dim]{tick.at:%Y-%m-%d}[/]",
        name,
        f"{tick.state.share_bp / 100:g} %".rjust(5),
        f"[{_COLOURS.get(move, 'white')}]{move.value}[/]",
        escape(tick.decision.reasons[0]) if tick.decision.reasons else "",
    )
    return line
