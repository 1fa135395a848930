from dynome.pipelines.demonstration import write_demo as write_demo
from dynome.pipelines.dynamic_connectomes import dynamic_connectome as dynamic_connectome
from dynome.pipelines.methods import METHODS as METHODS
from dynome.pipelines.methods import Method as Method
from dynome.pipelines.overview import study_overview as study_overview
from dynome.pipelines.overview_report import overview_sections as overview_sections
from dynome.pipelines.switching_glms import switching_glm as switching_glm
