from dynome.dynamics.tensor.rank_choice import choose_rank as choose_rank
from dynome.dynamics.tensor.rank_curves import rank_curve as rank_curve
from dynome.inference.coupling import structure_function as structure_function
from dynome.inference.homology import homologue_contrast as homologue_contrast
from dynome.permutation import permutation_p_value as permutation_p_value
from dynome.permutation import q_value as q_value
from dynome.permutation import z_score as z_score
