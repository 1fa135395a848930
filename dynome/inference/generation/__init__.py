"""Generation: synthetic subjects, removal of confounds, completion of what a recording lacks."""
