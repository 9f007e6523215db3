"""The benchmark: how far back does an agent remember, and how do agents compare?"""
