"""Names for containers that got none: a quality and a tool of the trade, as in `calm_anchor`."""

from __future__ import annotations

import os

_QUALITIES = (
    "able agile amber apt arctic azure bold brave brief bright brisk calm candid clear clever coastal cobalt "
    "cool coral crisp curious deft eager early easy fair fast fine firm fleet fond fresh gentle glad golden "
    "good grand green handy happy hardy hazel honest humble ideal ivory jade jolly just keen kind lively lucid "
    "lucky lunar mellow merry mild modest neat nimble noble novel olive open patient plain polar prime proud "
    "pure quick quiet rapid ready rosy royal rustic safe sandy serene sharp shiny silent silver simple sleek "
    "smart smooth snug solar solid sound spry stable steady still sturdy sunny sure swift tidy tiny tough trim "
    "true vivid warm wise witty "
).split()
_TOOLS = (
    "anchor anvil barge barrel beacon boat bolt bow brig buoy cabin cable canoe cargo carrack chart clamp "
    "clipper coil compass cog crane crate cutter deck derrick dinghy dock dory ferry flag frigate galley "
    "gangway gear gimbal harbor hatch hawser helm hinge hoist hold hook hull jetty jib kayak keel ketch ladder "
    "lantern latch lever lighter locker log lugger mast mooring oar paddle pallet pier pilot pinnace pivot "
    "plank port prow pulley quay rack raft ratchet reef rigging rivet rope rudder sail schooner seal sextant "
    "shackle shaft ship skiff sloop spar spool spring sprocket stern swivel tackle tender tide tiller toggle "
    "trawler tug valve wharf wheel winch yawl "
).split()


def suggestion() -> str:
    """A random name; the caller tries another when it is taken."""
    draw = os.urandom(4)
    return f"{_QUALITIES[int.from_bytes(draw[:2]) % len(_QUALITIES)]}_{_TOOLS[int.from_bytes(draw[2:]) % len(_TOOLS)]}"
