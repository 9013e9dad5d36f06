"""The sandbox: a provider that renders a real MP4 on the CPU, and says on it that it is no AI model."""
