"""The run that answers, in memory: a worker with a bounded queue, what is kept between questions, and items that join.

Read `served_run` first, which answers questions; then `narrowing`, `documents` and `item_reading`.
"""
