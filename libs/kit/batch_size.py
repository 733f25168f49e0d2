"""How many records does one transaction take? As many as it can: half after it was too much, twice after it went well."""

from __future__ import annotations

from dataclasses import dataclass

# A try that is too much may cost as much as its limit of time: it has to be rare.
_SURE_AFTER = 8


@dataclass(slots=True)
class BatchSize:
    """A number of records between one and `most`."""

    most: int
    records: int
    _went_well: int = 0

    def halve(self, tried: int) -> None:
        """So many were too much."""
        self.records = max(1, tried // 2)
        self._went_well = 0

    def grow(self, done: int) -> None:
        """So many went well; fewer than might have been taken say nothing about more."""
        if done < self.records:
            return
        self._went_well += 1
        if self._went_well >= _SURE_AFTER:
            self.records = min(self.most, self.records * 2)
            self._went_well = 0
