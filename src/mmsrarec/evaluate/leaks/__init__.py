"""Leak checks: each changes or inspects a run from outside and returns a `finding.Finding`.

To read in this order: `finding`, `perturbations` (changed logs), then the checks: `held_out_leaks`, `context_leaks`,
`ranking_leaks`, `stored_leaks`. `mmsrarec check --leaks` runs them all.
"""
