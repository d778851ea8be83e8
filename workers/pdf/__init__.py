"""The render service: a supervised, isolated Chromium turns HTML into PDF, and post-processing completes the file."""
