"""Learning a room's climate on the Pi itself: history, features, a child process that fits, models on disk.

Standard library only: importing NumPy alone costs 25 MB, scikit-learn 153 MB.
"""
