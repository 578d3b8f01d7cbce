"""What is known, since when, and from which bytes.

Belongs here: table declarations, the one writer, as-of reads, the run lock, the founding facts, facts about the world.
Does not belong here: fetching and scheduling (`longwave.pipelines`), arithmetic (`longwave.models`), pages (`longwave.reports`).
"""
