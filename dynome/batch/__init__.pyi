from dynome.batch.mapping import map_sessions as map_sessions
from dynome.batch.mapping import plan_sessions as plan_sessions
from dynome.batch.plans import Plan as Plan
from dynome.batch.records import Record as Record
from dynome.batch.results import BatchResults as BatchResults
from dynome.batch.results import open_results as open_results
from dynome.batch.summaries import concatenate as concatenate
from dynome.batch.summaries import summarize as summarize
