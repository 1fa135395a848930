"""Graph layers for torch: messages along the connections of one static graph that all snapshots share.

Read `message_graphs` first (what the layers see of a connectome), then `propagation` (the one operation that most of
them are made of). Features are laid out nodes first, ``(node, snapshot, feature)``: a snapshot is one copy of the
activity (a window, a time, an animal), and no message ever goes from one to another.
"""

from dynome.extras import require

require("torch", extra="torch")  # whoever names a layer without it is told what to install
