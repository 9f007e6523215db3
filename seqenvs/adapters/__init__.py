"""Adapters for libraries that cannot use Gymnasium environments directly, one module each."""
