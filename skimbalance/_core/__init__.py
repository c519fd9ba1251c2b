"""What every module builds on: arrays of any library, checks of input, scores and decisions."""

__all__: list[str] = []
