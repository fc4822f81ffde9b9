"""How often a key may ask for quotes."""

from dataclasses import dataclass, field


@dataclass
class Bucket:
    """Allows `rate` calls a minute."""

    rate: int
    calls: list[float] = field(default_factory=list)

    def allow(self, now: float) -> bool:
        """Whether a call at `now` (s) is within the limit; counts it if so."""
        self.calls = [at for at in self.calls if now - at < 60]
        if len(self.calls) >= self.rate:
            return False
        self.calls.append(now)
        return True
