from dynome.inference.coupling import structure_function as structure_function
from dynome.inference.homology import homologue_contrast as homologue_contrast
from dynome.inference.permutation import permutation_p_value as permutation_p_value
from dynome.inference.permutation import z_score as z_score
