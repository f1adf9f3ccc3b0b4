"""The parts of scripts/gpu_check.py: what it works on, what it measures, what it expects, and how it travels."""
