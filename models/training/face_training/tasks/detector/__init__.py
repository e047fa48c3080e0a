"""Face detectors: where in a picture are faces?"""
