"""What the package needs and no part of recommending: files on disk, locks, the terminal, threads and memory.

Read `artefacts` first: every part of a run is a finished folder with a manifest. `locks` keeps two processes from
writing one folder, `cache` says where converted models are kept, and `progress` and `terminal` are all that reaches
a user's screen. Nothing here needs torch.
"""
