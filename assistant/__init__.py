"""Finetune Assistant: from a sentence to an honest verdict."""
