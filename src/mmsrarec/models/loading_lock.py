"""One model is built at a time.

While transformers builds a model, it changes what the whole process shares: torch's default dtype, and how weights are
tied and drawn. Two threads that do so at once put back each other's changes, and every model that is built later is
broken. transformers and PEFT import their own parts when these are first named; two threads that do so at once get
modules of which half is missing. So whatever builds or loads a model, or imports one of these packages before a model
is there, holds this lock; one thread may hold it several times.
"""

import threading

LOADING = threading.RLock()
