"""Panels of adopters for the models, made from the warehouse's frames.

The form and its rules are the models' (`longwave.models.adopters`), the figures the warehouse's
(`longwave.warehouse.adopter_frames`); neither knows of the other.
"""

from __future__ import annotations

from longwave.models.adopters import AdopterPanel
from longwave.warehouse.adopter_frames import AdopterFrames


def panel_of(frames: AdopterFrames) -> AdopterPanel:
    """The panel that a model reads.

    Raises:
        ValueError: the frames break a rule of the form; names it and the first row at fault.

    """
    return AdopterPanel(
        medium=frames.medium,
        unit=frames.unit,
        first_launch=frames.first_launch,
        adopters=frames.adopters,
        attention=frames.attention,
        covariates=frames.covariates,
    )
