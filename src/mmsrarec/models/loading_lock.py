"""One model is built at a time.

While transformers builds a model, it changes what the whole process shares: torch's default dtype, and how weights are
tied and drawn. Two threads that do so at once put back each other's changes, and every model that is built later is
broken. So whatever builds or loads a model holds this lock; one thread may hold it several times.
"""

import threading

LOADING = threading.RLock()
