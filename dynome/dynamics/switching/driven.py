"""tmp"""

from dynome.dynamics.switching.processes import PlainProcess


class DrivenProcess(PlainProcess):
    pass
