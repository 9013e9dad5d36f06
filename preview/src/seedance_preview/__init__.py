"""Renders a real MP4 on the CPU, and says on it that it is no AI model: from `job.json` to `result.json`.

Loading this package or `job` loads neither NumPy nor FFmpeg: whoever writes a job needs neither.
"""
