from dynome.datasets.formats.nwb import read_nwb as read_nwb
from dynome.datasets.formats.nwb_writing import write_nwb as write_nwb
