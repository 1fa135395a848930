"""Connectomes that might have been: random wirings that keep some properties of a real one and no others.

A finding about a connectome means something against what chance would give. `kinds` holds the one entry,
`null_connectome`, over a table of kinds. Most null models are a *rule* for the edges of one layer (`edge_rules`): every
edge type by itself, edges without direction kept symmetric, self-loops left as they are. `edge_rules.null_edges`
applies a rule to arrays, for loops over many draws. A new one is a rule and a line in the table.
"""
