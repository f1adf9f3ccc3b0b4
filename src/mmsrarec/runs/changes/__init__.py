"""What changes in a finished run without training: items that join while it answers, users who are erased.

`erasure` rewrites a run, `reach` what lies around it.
"""
