from dynome import align as align
from dynome import batch as batch
from dynome import connectome as connectome
from dynome import datasets as datasets
from dynome import device as device
from dynome import dynamics as dynamics
from dynome import errors as errors
from dynome import estimator as estimator
from dynome import inference as inference
from dynome import pipelines as pipelines
from dynome import progress as progress
from dynome import report as report
from dynome import schema as schema
from dynome import seeds as seeds
from dynome import store as store
from dynome import study as study
from dynome import testing as testing
from dynome import units as units
from dynome import viz as viz
from dynome.citations.citing import cite as cite

__version__: str
