"""Where and why an image classifier or a GAN fails."""

__version__ = "0.1.0"
