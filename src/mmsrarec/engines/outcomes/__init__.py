"""What becomes of many requests to a server.

Reading order: `parallel_requests` (answers them side by side), `empty_answers` (which empty answers are believed).
"""
