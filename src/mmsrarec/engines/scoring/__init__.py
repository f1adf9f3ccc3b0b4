"""Scores of candidates from a server.

Reading order: `score_answers` (the forms of requests and answers), `server_scoring` (asks, and looks whether the server
computes what it was asked).
"""
