"""Adapters for tools that read neither Gymnasium's environments nor its vector environments."""
