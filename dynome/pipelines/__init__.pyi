from dynome.pipelines.demonstration import write_demo as write_demo
from dynome.pipelines.overview import study_overview as study_overview
from dynome.pipelines.overview_report import overview_sections as overview_sections
