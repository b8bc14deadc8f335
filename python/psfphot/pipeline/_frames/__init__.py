"""Many frames: their measuring, what is written down of each, one catalogue of all."""

from psfphot.pipeline._frames.mapping import map_frames
from psfphot.pipeline._frames.merging import MergedCatalogs, merge_catalogs
from psfphot.pipeline._frames.records import FrameRecord, RunLog
from psfphot.pipeline._frames.resuming import why_again
from psfphot.pipeline._frames.source_ids import add_source_ids

__all__ = [
    "FrameRecord",
    "MergedCatalogs",
    "RunLog",
    "add_source_ids",
    "map_frames",
    "merge_catalogs",
    "why_again",
]
