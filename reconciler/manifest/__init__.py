"""Reads `clients.d/`: every manifest, or an error that lists every problem with its position.

It makes no call and writes nothing.
"""

from reconciler.manifest.fleet import Fleet, FleetReading, fleet_errors, load, load_valid
from reconciler.manifest.one_manifest import Manifest
from reconciler.manifest.problem import ManifestErrors, NoManifests, Problem
from reconciler.manifest.texts import KnowledgeFile

__all__ = [
    "Fleet",
    "FleetReading",
    "KnowledgeFile",
    "Manifest",
    "ManifestErrors",
    "NoManifests",
    "Problem",
    "fleet_errors",
    "load",
    "load_valid",
]
