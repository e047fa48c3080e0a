"""Face points: where in a picture of one face are eyes, brows, nose and mouth, and how does it look?"""
