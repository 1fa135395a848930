"""The command line: ``dynome demo``, ``analyze``, ``info``, ``validate``, ``convert``, ``fetch``, ``datasets``.

Exit codes: 0 done, 1 an error that dynome explains, 2 a wrong call, 3 finished but sessions failed, 130 interrupted,
143 terminated.
A new command is a module of this folder that `dynome.cli.entry` imports.
"""

from dynome.cli.application import app as app
from dynome.cli.entry import main as main
