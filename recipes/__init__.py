"""Recipes: each trains one kind of model from a plan; they know neither the chat nor the page."""
